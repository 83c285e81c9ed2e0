use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    Opened {
        #[id]
        id: CartId,
    },
    ItemAdded {
        id: CartId,
        item: String,
    },
}

fn main() {}
