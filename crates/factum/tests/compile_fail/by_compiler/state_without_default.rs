use factum::prelude::*;

#[derive(Id, Clone, Debug, PartialEq)]
struct DoorId(String);

#[derive(Event, Clone, Debug)]
enum Door {
    Opened {
        #[id]
        id: DoorId,
    },
}

#[derive(Clone, Debug)]
enum State {
    Shut,
    Open,
}

#[derive(Aggregate, Clone, Debug)]
#[folds(Door)]
struct Entrance {
    #[key]
    id: DoorId,
    state: State,
}

impl Evolve<Door> for Entrance {
    fn evolve(&mut self, _: &Door) {
        self.state = State::Open;
    }
}

fn main() {}
