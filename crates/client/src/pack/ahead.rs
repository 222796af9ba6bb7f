//! Stages that work side by side: each goes on while the next one is still busy with what it was given.

use std::io;

use futures_util::{Stream, StreamExt as _, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Ends a task whose results nobody takes any more.
struct Task(Option<JoinHandle<()>>);

impl Task {
    /// Why the task did not come to its end, if it did not. Told once.
    async fn failed(&mut self) -> Option<io::Error> {
        self.0.take()?.await.err().map(io::Error::other)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// What `stage` gives, worked on by a task of its own that is at most `most` items ahead. The task begins with the first item
/// asked for, and ends with the stream. A task that panics ends the stream with an error, so that what was cut short never looks
/// whole.
pub(super) fn ahead<T: Send + 'static>(
    stage: impl Stream<Item = io::Result<T>> + Send + 'static,
    most: usize,
) -> impl Stream<Item = io::Result<T>> + Send + 'static {
    let begun = async move {
        let (sender, receiver) = mpsc::channel(most);
        let task = Task(Some(tokio::spawn(async move {
            let mut stage = Box::pin(stage);
            while let Some(item) = stage.next().await {
                if sender.send(item).await.is_err() {
                    return;
                }
            }
        })));
        stream::unfold((receiver, task), |(mut receiver, mut task)| async move {
            let item = match receiver.recv().await {
                Some(item) => item,
                None => Err(task.failed().await?),
            };
            Some((item, (receiver, task)))
        })
    };
    stream::once(begun).flatten()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::TryStreamExt as _;

    use super::*;

    #[tokio::test]
    async fn a_stage_that_panics_does_not_look_whole() {
        let stage = stream::iter(0..3).map(|number| {
            assert!(number < 2, "as it is meant to");
            Ok(number)
        });
        let mut stage = Box::pin(ahead(stage, 1));
        assert_eq!((stage.try_next().await.unwrap(), stage.try_next().await.unwrap()), (Some(0), Some(1)));
        assert!(stage.try_next().await.is_err());
        assert_eq!(stage.try_next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn it_is_ahead_so_far_and_no_further_and_ends_with_its_reader() {
        let begun = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&begun);
        let numbers = stream::iter(0..100).map(move |number| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(number)
        });
        let mut stage = Box::pin(ahead(numbers, 2));
        assert_eq!(begun.load(Ordering::SeqCst), 0, "nobody asked");
        assert_eq!(stage.try_next().await.unwrap(), Some(0));
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        // One was taken, two wait, and one more could not be handed over.
        assert_eq!(begun.load(Ordering::SeqCst), 4);
        let rest: Vec<i32> = stage.try_collect().await.unwrap();
        assert_eq!(rest, (1..100).collect::<Vec<_>>());
        assert_eq!(Arc::strong_count(&begun), 1, "what the stage held is let go");
    }
}
