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
    #[event(version = 3, from = OpenedV1)]
    Opened {
        #[id]
        id: CartId,
    },
}

impl From<OpenedV1> for Cart {
    fn from(old: OpenedV1) -> Self {
        Self::Opened { id: old.id }
    }
}

fn main() {}
