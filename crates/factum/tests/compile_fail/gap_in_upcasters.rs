use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
enum Cart {
    #[event(version = 4, upcast(1 = Ok, 3 = Ok))]
    Opened {
        #[id]
        id: CartId,
    },
    #[event(version = 4, upcast(1 = Ok, 2 = Ok))]
    Closed {
        #[id]
        id: CartId,
    },
}

fn main() {}
