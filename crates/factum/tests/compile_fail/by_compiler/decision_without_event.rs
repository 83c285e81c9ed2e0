use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    Opened {
        #[id]
        id: CartId,
    },
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Cart)]
struct Open {
    #[key]
    id: CartId,
    is_open: bool,
}

impl Evolve<Cart> for Open {
    fn evolve(&mut self, _: &Cart) {
        self.is_open = true;
    }
}

fn main() {
    let store = Store::memory();
    let opened = store.decide(Open::of("c"), |cart| Ok::<_, String>(cart.is_open)).run();
    drop(opened);
}
