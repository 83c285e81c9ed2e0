use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct CartId(String);

#[derive(Event, Clone, Debug)]
#[event(name = "CartOpened")]
struct OpenedV1 {
    #[id]
    id: CartId,
}

#[derive(Event, Clone, Debug)]
enum Cart {
    #[event(from = OpenedV1)]
    Opened {
        #[id]
        id: CartId,
    },
}

fn main() {}
