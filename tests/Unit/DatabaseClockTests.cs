using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Engine.Clocks;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>The clock of a process between measurements, and what a measurement changes.</summary>
public sealed class DatabaseClockTests
{
    private static readonly DateTimeOffset Start = new(2031, 2, 3, 4, 5, 6, TimeSpan.Zero);

    private readonly FakeTimeProvider _monotonic = new(Start);
    private readonly SteppedTime _machine;
    private readonly DatabaseClock _clock;

    public DatabaseClockTests()
    {
        _machine = new SteppedTime(_monotonic);
        _clock = new DatabaseClock(_machine);
    }

    private DateTimeOffset Now => _clock.GetUtcNow();

    [Fact]
    public void Until_the_first_measurement_the_time_is_the_machines()
    {
        _machine.Step(TimeSpan.FromHours(-1));

        Now.ShouldBe(Start.AddHours(-1));
    }

    [Theory]
    [InlineData(600)]
    [InlineData(-600)]
    public void The_time_is_that_of_the_database_whatever_the_machines_clock_says(int seconds)
    {
        _machine.Step(TimeSpan.FromSeconds(seconds));
        Measure(Start).ShouldBe(TimeSpan.Zero);
        _monotonic.Advance(TimeSpan.FromSeconds(7));

        Now.ShouldBe(Start.AddSeconds(7));
        _clock.MachineOffset.ShouldBe(TimeSpan.FromSeconds(seconds));

        _machine.Step(TimeSpan.FromHours(-1));

        Now.ShouldBe(Start.AddSeconds(7));
        Measure(Start.AddSeconds(7)).ShouldBe(TimeSpan.Zero);
        Now.ShouldBe(Start.AddSeconds(7));
        _clock.MachineOffset.ShouldBe(TimeSpan.FromSeconds(seconds - 3600));
    }

    [Fact]
    public void The_clock_is_never_ahead_of_the_database_and_a_faster_answer_brings_it_closer()
    {
        var truth = Start.AddMinutes(1);
        Measure(truth, tripMs: 300, readAfterMs: 200);
        Now.ShouldBe(truth.AddMilliseconds(200)); // 100 ms behind
        Measure(truth.AddMilliseconds(300), tripMs: 2, readAfterMs: 1);

        Now.ShouldBe(truth.AddMilliseconds(301)); // 1 ms behind
    }

    [Fact]
    public void A_slow_answer_does_not_make_it_worse()
    {
        Measure(Start, tripMs: 2, readAfterMs: 2);
        var truth = Now;

        Measure(truth, tripMs: 900, readAfterMs: 10).ShouldBe(TimeSpan.Zero);
        Now.ShouldBe(truth.AddMilliseconds(900));
        Measure(Now, tripMs: 900, readAfterMs: 890).ShouldBe(TimeSpan.Zero);
        Now.ShouldBe(truth.AddMilliseconds(1800));
    }

    [Fact]
    public void After_a_small_correction_backwards_the_time_stands_still_until_it_has_caught_up()
    {
        Measure(Start);
        _monotonic.Advance(TimeSpan.FromSeconds(2));

        Measure(Start.AddSeconds(1.5)).ShouldBe(TimeSpan.Zero);

        Now.ShouldBe(Start.AddSeconds(2));
        _monotonic.Advance(TimeSpan.FromSeconds(0.4));
        Now.ShouldBe(Start.AddSeconds(2));
        _monotonic.Advance(TimeSpan.FromSeconds(0.3));
        Now.ShouldBe(Start.AddSeconds(2.2));
    }

    [Theory]
    [InlineData(3600)]
    [InlineData(-3600)]
    [InlineData(-1)]
    public void A_step_of_the_databases_clock_is_followed_and_told(int seconds)
    {
        Measure(Start);
        var step = TimeSpan.FromSeconds(seconds);

        Measure(Start + step).ShouldBe(step);

        Now.ShouldBe(Start + step);
        Measure(Start + step).ShouldBe(TimeSpan.Zero);
    }

    [Fact]
    public void An_answer_that_a_later_question_overtook_is_ignored()
    {
        Measure(Start);
        var asked = _clock.GetTimestamp();
        _monotonic.Advance(TimeSpan.FromSeconds(1));
        Measure(Start.AddHours(1)).ShouldBe(TimeSpan.FromHours(1) - TimeSpan.FromSeconds(1));

        _clock.Measured(Start, asked, _clock.GetTimestamp()).ShouldBe(TimeSpan.Zero);

        Now.ShouldBe(Start.AddHours(1));
    }

    [Fact]
    public async Task A_difference_of_the_machines_clock_is_told_and_so_is_a_failover()
    {
        await using var watched = new WatchedDatabase(_clock, new SteppedDatabase(_monotonic));
        var (database, watch) = (watched.Database, watched.Watch);
        await watch.MeasureAsync(CancellationToken.None);
        (watch.Difference, watch.Breaks, watch.Failovers).ShouldBe((null, 0, 0));

        _machine.Step(TimeSpan.FromSeconds(90));
        watch.Difference.ShouldBe("the clock of this machine is 90 s ahead of the database's, which counts");
        _machine.Step(TimeSpan.FromSeconds(-180));
        watch.Difference.ShouldBe("the clock of this machine is 90 s behind the database's, which counts");

        database.Step(TimeSpan.FromSeconds(30));
        await watch.MeasureAsync(CancellationToken.None);
        (watch.Breaks, watch.Failovers).ShouldBe((1, 0));

        database.Server = null; // cannot tell
        await watch.MeasureAsync(CancellationToken.None);
        database.Server = "2";
        await watch.MeasureAsync(CancellationToken.None);
        await watch.MeasureAsync(CancellationToken.None);
        (watch.Breaks, watch.Failovers).ShouldBe((2, 1));
    }

    /// <param name="truth">The database's time now.</param>
    /// <param name="tripMs">Length of the round trip.</param>
    /// <param name="readAfterMs">When in it the database reads its clock.</param>
    private TimeSpan Measure(DateTimeOffset truth, int tripMs = 0, int readAfterMs = 0)
    {
        var sent = _clock.GetTimestamp();
        _monotonic.Advance(TimeSpan.FromMilliseconds(tripMs));
        return _clock.Measured(truth.AddMilliseconds(readAfterMs), sent, _clock.GetTimestamp());
    }
}
