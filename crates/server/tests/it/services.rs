//! The services beside streams, asked by the Rust client `kurrentdb`: what an
//! operator needs is there, what is not says so.

use std::time::Duration;

use futures_util::StreamExt;
use kurrentdb::operations::{Client as Operator, ScavengeStatus, StatsOptions};
use kurrentdb::{Client, Error, EventData, ProjectionClient};

use crate::calls::runtime;
use crate::host::Host;

fn with_operator<F: Future<Output = kurrentdb::Result<()>>>(
    host: &Host,
    story: impl FnOnce(Operator, Client) -> F,
) {
    let url = host.url("kurrentdb");
    runtime().block_on(async {
        let operator = Operator::new(url.parse().unwrap()).unwrap();
        let client = Client::new(url.parse().unwrap()).unwrap();
        tokio::time::timeout(Duration::from_secs(30), story(operator, client)).await.unwrap().unwrap();
    });
}

fn not_there(error: &Error) -> bool {
    matches!(error, Error::ResourceNotFound | Error::UnsupportedFeature)
        || matches!(error, Error::Grpc { code, .. } if [5, 12].contains(&(*code as i32)))
}

#[test]
fn an_operator_is_told_what_is_measured_again_and_again() {
    let host = Host::start();
    with_operator(&host, |operator, client| async move {
        let options = StatsOptions::default().refresh_time(Duration::from_millis(100));
        let mut stats = operator.stats(&options).await?;
        let before = stats.next().await?.0;
        assert_eq!(before["es-events"], "0");
        client.append_to_stream("a", &Default::default(), EventData::binary("A", Default::default())).await?;
        let mut after = stats.next().await?.0;
        while after["es-events"] == "0" {
            after = stats.next().await?.0;
        }
        assert_eq!(after["es-events"], "1");
        let figure = |name: &str| after[name].parse::<u64>().unwrap();
        assert_eq!(figure("proc-id"), u64::from(std::process::id()));
        assert!(figure("proc-mem") > 1_000_000 && figure("proc-cpuMilliseconds") > 0, "{after:?}");
        let members = operator.read_gossip().await?;
        assert_eq!((members.len(), members[0].last_commit_position), (1, 1));
        Ok(())
    });
}

#[test]
fn there_is_nothing_to_scavenge_to_merge_or_to_resign_for() {
    let host = Host::start();
    with_operator(&host, |operator, _| async move {
        let options = Default::default();
        let scavenge = operator.start_scavenge(1, 0, &options).await?;
        assert_eq!(scavenge.status(), ScavengeStatus::Started);
        let other = operator.start_scavenge(1, 0, &options).await?;
        // Of an older one nothing is known; the last one is stopped, once.
        let stopped = operator.stop_scavenge(other.id(), &options).await?;
        assert_eq!((stopped.id(), stopped.status()), (other.id(), ScavengeStatus::Stopped));
        for over in [&scavenge, &other] {
            let over = operator.stop_scavenge(over.id(), &options).await.unwrap_err();
            assert!(not_there(&over), "{over:?}");
        }
        operator.merge_indexes(&options).await?;
        operator.resign_node(&options).await?;
        operator.set_node_priority(3, &options).await?;
        Ok(())
    });
}

/// Who is told of, with all that is told.
async fn told(
    operator: &Operator,
    login: &str,
) -> kurrentdb::Result<Vec<(String, String, Vec<String>, bool)>> {
    let mut details = operator.user_details(login, &Default::default()).await?;
    let mut told = Vec::new();
    while let Some(user) = details.next().await? {
        assert!(user.last_updated.is_some());
        told.push((user.login, user.full_name, user.groups, user.disabled));
    }
    Ok(told)
}

#[test]
fn users_are_made_changed_told_of_and_deleted() {
    let host = Host::start();
    with_operator(&host, |operator, _| async move {
        let options = Default::default();
        assert!(told(&operator, "").await?.is_empty());
        operator.create_user("bob", "b", "Bob", Vec::new(), &options).await?;
        operator.create_user("ann", "secret", "Ann", vec!["sales".to_owned()], &options).await?;
        let again = operator.create_user("ann", "x", "X", Vec::new(), &options).await.unwrap_err();
        assert!(matches!(&again, Error::Grpc { code, .. } if *code as i32 == 9), "{again:?}");
        operator.update_user("ann", "ignored", "Ann B", vec!["ops".to_owned()], &options).await?;
        let ann = |disabled| ("ann".to_owned(), "Ann B".to_owned(), vec!["ops".to_owned()], disabled);
        assert_eq!(told(&operator, "ann").await?, [ann(false)]);
        operator.disable_user("ann", &options).await?;
        assert_eq!(told(&operator, "ann").await?, [ann(true)]);
        operator.enable_user("ann", &options).await?;
        let bob = ("bob".to_owned(), "Bob".to_owned(), Vec::new(), false);
        assert_eq!(told(&operator, "").await?, [ann(false), bob.clone()]);
        // Who knows the password may change it, and an update was no change of it.
        operator.change_user_password("ann", "secret", "newer", &options).await?;
        let wrong = operator.change_user_password("ann", "secret", "x", &options).await.unwrap_err();
        assert!(matches!(wrong, Error::AccessDenied), "{wrong:?}");
        operator.reset_user_password("ann", "reset", &options).await?;
        operator.change_user_password("ann", "reset", "newest", &options).await?;
        operator.delete_user("ann", &options).await?;
        assert_eq!(told(&operator, "").await?, [bob]);
        Ok(())
    });
}

#[test]
fn who_is_not_there_cannot_be_changed() {
    let host = Host::start();
    with_operator(&host, |operator, _| async move {
        let options = Default::default();
        let refusals = [
            operator.update_user("ann", "secret", "Ann", Vec::new(), &options).await.unwrap_err(),
            operator.enable_user("ann", &options).await.unwrap_err(),
            operator.disable_user("ann", &options).await.unwrap_err(),
            operator.delete_user("ann", &options).await.unwrap_err(),
            operator.change_user_password("ann", "old", "new", &options).await.unwrap_err(),
            operator.reset_user_password("ann", "new", &options).await.unwrap_err(),
            operator.user_details("ann", &options).await.err().unwrap(),
        ];
        for refusal in refusals {
            assert!(not_there(&refusal), "{refusal:?}");
        }
        Ok(())
    });
}

#[test]
fn a_client_may_ask_the_server_to_stop() {
    let mut host = Host::start();
    with_operator(&host, |operator, _| async move { operator.shutdown(&Default::default()).await });
    assert!(host.ended(Duration::from_secs(10)), "it goes on");
}

#[test]
fn the_standard_projections_run_and_stay_as_they_are() {
    let host = Host::start();
    let url = host.url("kurrentdb");
    runtime().block_on(async {
        let client = Client::new(url.parse().unwrap()).unwrap();
        client
            .append_to_stream("a", &Default::default(), EventData::binary("A", Default::default()))
            .await
            .unwrap();
        let projections = ProjectionClient::from(client);
        let options = Default::default();
        let all: Vec<_> = projections.list(&options).await.unwrap().map(Result::unwrap).collect().await;
        let names: Vec<_> = all.iter().map(|status| status.name.as_str()).collect();
        let standard =
            ["$by_category", "$by_correlation_id", "$by_event_type", "$stream_by_category", "$streams"];
        assert_eq!(names, standard);
        for status in all {
            assert_eq!(
                (status.status.as_str(), status.progress, status.position.as_str()),
                ("Running", 100.0, "C:1/P:1")
            );
        }
        for name in standard {
            assert_eq!(projections.get_status(name, &options).await.unwrap().unwrap().name, name);
            projections.enable(name, &options).await.unwrap();
            projections.reset(name, &options).await.unwrap();
            let state: serde_json::Value =
                projections.get_state(name, &Default::default()).await.unwrap().unwrap();
            assert_eq!(state, serde_json::json!({}));
            let refused = projections.disable(name, &options).await.unwrap_err();
            assert!(refused.to_string().contains("cannot be disabled"), "{refused}");
            let refused = projections.delete(name, &Default::default()).await.unwrap_err();
            assert!(refused.to_string().contains("cannot be deleted"), "{refused}");
        }
        let refusals = [
            projections.get_status("sums", &options).await.err().unwrap(),
            projections.enable("sums", &options).await.unwrap_err(),
            projections.disable("sums", &options).await.unwrap_err(),
            projections.get_state::<_, serde_json::Value>("sums", &Default::default()).await.err().unwrap(),
            projections.create("sums", "fromAll()".to_owned(), &Default::default()).await.unwrap_err(),
        ];
        for refusal in refusals {
            assert!(not_there(&refusal), "{refusal:?}");
        }
    });
}
