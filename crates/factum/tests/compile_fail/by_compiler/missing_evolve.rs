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

fn main() {}
