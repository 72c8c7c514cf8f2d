using Shouldly;
using TaskQueue.Contracts;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Tasks;
using TaskQueue.Storage.Postgres;
using Xunit;
using static TaskQueue.Tests.Servers.TestTasks;

namespace TaskQueue.Tests.Unit;

/// <summary>Marks of claims and sweeps, which keep rows that are gone from being read again and again.</summary>
public sealed class MarkTests
{
    private static readonly QueueTier Target = new("q", 0);

    [Fact]
    public void Only_one_claim_at_a_time_searches_from_the_beginning()
    {
        var marks = new ClaimMarks();
        marks.Claimed(marks.PartsOf([Target], T0), [], T0, T0, TimeSpan.Zero);

        var parts = Enumerable.Range(0, 8).Select(_ => marks.PartsOf([Target], T0.AddSeconds(2))).ToList();

        parts.Count(p => p.TrueForAll(x => x.IsFull)).ShouldBe(1);
        parts.Count(p => p.TrueForAll(x => !x.IsFull && x.From > DateTime.UnixEpoch)).ShouldBe(7);
    }

    [Fact]
    public void A_search_from_the_beginning_takes_at_most_a_tenth_of_the_time()
    {
        var marks = new ClaimMarks();
        var looks = 0;
        for (var at = T0; at < T0.AddMinutes(10); at = at.AddMilliseconds(100))
        {
            var parts = marks.PartsOf([Target], at);
            var isFull = parts.Exists(p => p.IsFull && p.Priority == Priority.Normal);
            looks += isFull ? 1 : 0;
            marks.Claimed(parts, [], at, at, isFull ? TimeSpan.FromSeconds(3) : TimeSpan.FromMilliseconds(1));
        }

        looks.ShouldBeInRange(19, 22); // each 30 s; the first two looks may be an accident
    }

    [Fact]
    public void One_slow_search_delays_none()
    {
        var once = default(LookInterval).Begin(T0).End(TimeSpan.FromSeconds(3));

        once.IsOver(T0 + LookInterval.Shortest).ShouldBeTrue();
        once.Begin(T0.AddSeconds(2)).End(TimeSpan.FromSeconds(4)).IsOver(T0.AddSeconds(31)).ShouldBeFalse();
    }

    [Fact]
    public void A_sweep_searches_from_where_it_found_nothing_before()
    {
        var marks = new SweepMarks();
        marks.End(Sweep.ExpiredLease, marks.Begin(Sweep.ExpiredLease, T0), T0, T0.AddSeconds(1), TimeSpan.Zero);
        marks.Of(Sweep.ExpiredLease).ShouldBe(T0.AddSeconds(-2));
        marks.Of(Sweep.Dispatch).ShouldBe(DateTime.UnixEpoch);

        var next = marks.Begin(Sweep.ExpiredLease, T0.AddSeconds(1));
        (next.From, next.IsFull).ShouldBe((T0.AddSeconds(-2), false));
        marks.End(Sweep.ExpiredLease, next, T0.AddSeconds(1), T0.AddSeconds(-1.5), TimeSpan.Zero);
        marks.Of(Sweep.ExpiredLease).ShouldBe(T0.AddSeconds(-1.5), "a task is found there until it is dealt with");

        marks.Begin(Sweep.ExpiredLease, T0.AddSeconds(2)).IsFull.ShouldBeTrue();
        marks.Begin(Sweep.ExpiredLease, T0.AddSeconds(-1)).IsFull.ShouldBeTrue("the clock went back");
    }

    [Fact]
    public void A_search_from_the_beginning_lowers_the_mark_to_what_it_finds()
    {
        var marks = new SweepMarks();
        marks.End(Sweep.Dispatch, marks.Begin(Sweep.Dispatch, T0), T0, T0.AddSeconds(1), TimeSpan.Zero);
        var late = T0.AddSeconds(5);

        marks.End(Sweep.Dispatch, marks.Begin(Sweep.Dispatch, late), late, T0.AddHours(-1), TimeSpan.Zero);

        marks.Of(Sweep.Dispatch).ShouldBe(T0.AddHours(-1));
    }

    [Fact]
    public void A_search_that_was_under_way_when_times_were_moved_sets_no_mark()
    {
        var marks = new SweepMarks();
        var look = marks.Begin(Sweep.ExpiredLease, T0);
        marks.Forget();
        marks.End(Sweep.ExpiredLease, look, T0, T0.AddSeconds(1), TimeSpan.Zero);

        marks.Of(Sweep.ExpiredLease).ShouldBe(DateTime.UnixEpoch);
    }
}
