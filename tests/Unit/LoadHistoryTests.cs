using Shouldly;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Scaling;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>What is remembered of requested queues.</summary>
public sealed class LoadHistoryTests
{
    private readonly SetTime _time = new(TestTasks.T0);
    private readonly LoadHistory _history;

    public LoadHistoryTests() => _history = new(_time);

    [Fact]
    public void It_covers_the_window_and_one_reading_before_it()
    {
        var queue = _history.Follow("q")!;
        for (var i = 0; i < 100; i++)
        {
            Look();
            _time.Now += TimeSpan.FromSeconds(7);
        }

        Ages(queue).ShouldBe([63, 56, 49, 42, 35, 28, 21, 14, 7, 0]);
    }

    [Fact]
    public void Few_of_many_rapid_readings_are_kept_but_always_the_newest()
    {
        var queue = _history.Follow("q")!;
        for (var i = 0; i < 3000; i++)
        {
            Look();
            _time.Now += TimeSpan.FromSeconds(0.1);
        }

        queue.Samples.Count.ShouldBeInRange(25, 35);
        Ages(queue)[0].ShouldBeInRange(60, 63);
        Look();
        queue.Samples[^1].At.ShouldBe(_time.Now);
    }

    [Fact]
    public void A_reading_too_old_to_compare_with_is_removed()
    {
        var queue = _history.Follow("q")!;
        Look();
        _time.Now += TimeSpan.FromMinutes(9);
        Look();
        queue.Samples.Count.ShouldBe(2);
        _time.Now += TimeSpan.FromMinutes(11);
        Look("q");
        queue.Samples.Count.ShouldBe(1);
    }

    [Fact]
    public void A_queue_that_is_no_longer_requested_is_forgotten()
    {
        _history.Follow("q");
        _time.Now += TimeSpan.FromMinutes(6);
        _history.Follow("other");
        _time.Now += TimeSpan.FromMinutes(6);
        _history.Followed().ShouldBe(["other"]);
        _history.Follow("q")!.Samples.ShouldBeEmpty();
    }

    [Fact]
    public void Invented_queue_names_do_not_fill_the_memory()
    {
        for (var i = 0; i < 10_000; i++)
            _history.Follow($"q{i}").ShouldNotBeNull();
        _history.Follow("one more").ShouldBeNull();
        _history.Follow("q7").ShouldNotBeNull();
    }

    private void Look(params string[] queues) => _history.Add(
        queues.Length == 0 ? _history.Followed()
            : queues, new Backlog([], 0, null, new Dictionary<QueueTier, long>()), Array.Empty<TierBacklog>()
                .ToLookup(l => l.At.Queue), _time.Now, _time.GetTimestamp());

    private static List<int> Ages(QueueHistory queue) => [.. queue.Samples.Select(s => (int)(queue.Samples[^1].At - s.At).TotalSeconds)];
}
