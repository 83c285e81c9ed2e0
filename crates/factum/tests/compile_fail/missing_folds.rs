use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Aggregate, Clone, Debug)]
struct Open {
    #[key]
    id: CartId,
}

fn main() {}
