use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    Merged {
        #[id]
        from: CartId,
        #[id]
        into: CartId,
    },
}

fn main() {}
