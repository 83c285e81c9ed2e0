use super::*;
use crate::event::Shape;

/// An event of a category with fields, as `name: Type`.
fn specimen(name: &'static str, fields: &[&'static str]) -> Specimen {
    let fields = fields.iter().map(|field| {
        let (name, type_name) = field.split_once(": ").unwrap();
        FieldShape { name, type_name, optional: type_name.starts_with("Option<") }
    });
    let shape =
        Shape { name, version: 1, oldest: 1, fields: fields.collect(), tags: vec!["order"], has_id: true };
    Specimen { shape, stream: "order-<id>".into(), allowed: Vec::new(), samples: Ok(Vec::new()) }
}

fn lints(name: &'static str, fields: &[&'static str]) -> Vec<Lint> {
    of_one(&specimen(name, fields)).into_iter().map(|warning| warning.lint).collect()
}

#[test]
fn sees_what_will_be_regretted() {
    use Lint::*;
    let rows: [(&str, &[&str], Lint); 16] = [
        ("OrderCreated", &["id: OrderId", "amount: u64", "tax: u64", "total: u64"], CalculatedField),
        ("OrderPlaced", &["lines: Vec<Line>", "line_count: u32"], CalculatedField),
        ("OrderPlaced", &["lines: Vec<Line>", "totalCents: u64"], CalculatedField),
        ("Deposited", &["id: AccountId", "cents: u64", "balance: u64"], CalculatedField),
        ("OrderCreated", &["id: OrderId", "customer_age: u8"], ChangingField),
        ("OrderCreated", &["customer_status: String"], ChangingField),
        ("OrderCreated", &["current_price: u64"], ChangingField),
        ("OrderPlaced", &["order: Order"], WholeState),
        ("ProfileUpdated", &["id: OrderId", "a: u8", "b: u8", "c: u8", "d: u8", "e: u8"], WholeState),
        ("UserRegistered", &["id: UserId", "email: String"], PersonalData),
        ("UserRegistered", &["id: UserId", "billing_email: String"], PersonalData),
        ("UserRegistered", &["id: UserId", "name: String"], PersonalData),
        ("PayoutOrdered", &["iban: Iban"], PersonalData),
        ("Hired", &["dateOfBirth: Date"], PersonalData),
        ("Hired", &["ssn: String"], PersonalData),
        ("Hired", &["first_name: String"], PersonalData),
    ];
    for (name, fields, lint) in rows {
        assert_eq!(lints(name, fields), [lint], "{name} {fields:?}");
    }
}

#[test]
fn is_quiet_about_good_events() {
    let rows: [(&str, &[&str]); 12] = [
        ("OrderCreated", &["id: OrderId", "amount: u64", "tax: u64", "currency: Currency"]),
        ("StockCounted", &["shelf: u32", "count: u32"]),
        ("OrderPlaced", &["lines: Vec<Line>", "placed_on: Date"]),
        ("BudgetSet", &["total: u64", "year: u64"]),
        ("ProductAdded", &["id: ProductId", "name: String", "price: u64"]),
        ("OrderMarked", &["order_status: Status"]),
        ("OrderPackaged", &["packages: u8", "stage: u8", "image: String", "message: String"]),
        ("QuantityChanged", &["id: OrderId", "quantity: u32"]),
        ("TermsChanged", &["a: u8", "b: Option<u8>", "c: Option<u8>", "d: Option<u8>", "e: Option<u8>"]),
        ("ReportSent", &["emailed: bool", "phone_calls: u8", "summary: String", "accounts: Vec<String>"]),
        ("OrderPlaced", &["placed_at: Timestamp", "account: AccountId"]),
        ("DiscountGiven", &["count: Option<u32>", "percentage: u8", "totally: bool"]),
    ];
    for (name, fields) in rows {
        assert_eq!(lints(name, fields), [], "{name} {fields:?}");
    }
}

#[test]
fn too_large_is_many_fields_or_values_or_lists_in_lists() {
    let fields: Vec<&'static str> = vec!["f: u8"; FIELDS_MAX + 1];
    assert_eq!(lints("OrderPlaced", &fields), [Lint::TooLarge]);
    assert_eq!(lints("OrderPlaced", &fields[1..]), []);
    let sampled = |sample: Value| {
        let sample = serde_json::value::to_raw_value(&sample).unwrap();
        let specimen = Specimen { samples: Ok(vec![sample]), ..specimen("OrderPlaced", &["a: A"]) };
        of_one(&specimen).into_iter().map(|warning| warning.lint).collect::<Vec<_>>()
    };
    assert_eq!(sampled(serde_json::json!({"a": [[[1]]]})), [Lint::TooLarge]);
    assert_eq!(sampled(serde_json::json!({"a": [{"b": [1]}]})), []);
    assert_eq!(sampled(serde_json::json!({"a": vec![1; VALUES_MAX + 1]})), [Lint::TooLarge]);
}

#[test]
fn too_small_is_a_fact_in_pieces() {
    let changed = |name| specimen(name, &["id: OrderId", "order: OrderId", "value: String"]);
    let pieces = ["CustomerFirstNameChanged", "CustomerLastNameChanged", "CustomerTitleChanged"].map(changed);
    let pieces: Vec<&Specimen> = pieces.iter().collect();
    let found = of_all(&pieces);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].0.as_str(), found[0].1.lint), ("CustomerFirstNameChanged", Lint::TooSmall));
    assert_eq!(of_all(&pieces[1..]), []);
    let mut allowed = pieces[0].clone();
    allowed.allowed.push(Lint::TooSmall);
    assert_eq!(of_all(&[&allowed, pieces[1], pieces[2]]), []);
}

#[test]
fn each_can_be_allowed() {
    let mut event = specimen("UserRegistered", &["email: String", "customer_age: u8"]);
    event.allowed.push(Lint::PersonalData);
    let left: Vec<_> = of_one(&event).into_iter().map(|warning| warning.lint).collect();
    assert_eq!(left, [Lint::ChangingField]);
}
