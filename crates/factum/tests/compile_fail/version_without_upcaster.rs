use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    #[event(version = 3)]
    Opened {
        #[id]
        id: CartId,
    },
}

fn main() {}
