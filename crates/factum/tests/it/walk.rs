use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct AccountId(String);

#[derive(Event, Clone, Debug, PartialEq)]
enum Account {
    Opened {
        #[id]
        id: AccountId,
        owner: String,
    },
    Deposited {
        #[id]
        id: AccountId,
        cents: u64,
    },
    Withdrawn {
        #[id]
        id: AccountId,
        cents: u64,
    },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Account)]
struct Balance {
    #[key]
    id: AccountId,
    cents: u64,
}

impl Evolve<Account> for Balance {
    fn evolve(&mut self, event: &Account) {
        match event {
            Account::Opened { .. } => {}
            Account::Deposited { cents, .. } => self.cents += cents,
            Account::Withdrawn { cents, .. } => self.cents -= cents,
        }
    }
}

fn withdraw(balance: &Balance, cents: u64) -> Result<Account, &'static str> {
    if cents > balance.cents {
        return Err("not that much money");
    }
    Ok(Account::Withdrawn { id: balance.id.clone(), cents })
}

#[test]
fn walks() {
    let dir = tempfile::tempdir().unwrap();
    for store in [Store::memory(), Store::open(dir.path().join("s")).unwrap()] {
        let id = AccountId::from("ada");
        store
            .record([
                Account::Opened { id: id.clone(), owner: "Ada".into() },
                Account::Deposited { id: id.clone(), cents: 500 },
            ])
            .run()
            .unwrap();
        let receipt = store.decide(Balance::of(&id), |balance| withdraw(balance, 200)).run().unwrap();
        assert_eq!((receipt.events(), receipt.attempts), (1, 1));
        assert_eq!(store.load(Balance::of(&id)).run().unwrap().cents, 300);
        assert_eq!(store.load(Balance::of(&id)).as_of(factum::Position::new(1)).run().unwrap().cents, 500);
        let r = pollster::block_on(async {
            store.decide(Balance::of(&id), |balance: &Balance| withdraw(balance, 400)).await
        });
        assert!(matches!(r, Err(DecideError::Rejected("not that much money"))));
        let r = store.decide(Balance::of(&id), |b| withdraw(b, 100)).idempotency_key("k").run().unwrap();
        let again = store.decide(Balance::of(&id), |b| withdraw(b, 100)).idempotency_key("k").run();
        let Err(DecideError::AlreadyDone(first)) = again else { panic!("{again:?}") };
        assert_eq!((first.positions, first.revision), (r.positions, r.revision));
        assert_eq!(store.load((Balance::of(&id), Balance::of("bob"))).run().unwrap().0.cents, 200);
    }
}
