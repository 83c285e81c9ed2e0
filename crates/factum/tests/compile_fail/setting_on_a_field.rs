use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    Opened {
        #[id]
        #[event(name = "cart")]
        id: CartId,
    },
}

fn main() {}
