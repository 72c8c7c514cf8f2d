namespace TaskQueue.Engine.Scaling;

/// <summary>Load of a queue, or of one of its tiers, at one time.</summary>
/// <param name="At">Time in seconds of a monotonic clock.</param>
/// <param name="Due">Tasks that may run now.</param>
/// <param name="Later">Tasks scheduled for later.</param>
/// <param name="Blocked">Tasks blocked by another with the same ordering key.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Finished">Tasks completed or failed so far.</param>
/// <param name="OldestAge">Seconds that the oldest due task has waited.</param>
internal sealed record Load(double At, long Due, long Later, long Blocked, long Running, long Finished, double OldestAge)
{
    /// <summary>Tasks that have arrived and not ended.</summary>
    public long Inside => Due + Blocked + Running;
}

/// <summary>Limits from a queue's settings.</summary>
/// <param name="Paused">Whether the queue is paused.</param>
/// <param name="MaxRunning">Concurrency limit; 0 is unlimited.</param>
/// <param name="PerSecond">Rate limit in tasks a second; null is unlimited.</param>
internal sealed record SlotLimits(bool Paused = false, int MaxRunning = 0, double? PerSecond = null);

/// <summary>
/// Computes how many concurrent tasks a queue needs: the slots that arriving tasks keep busy, plus those needed to start the waiting tasks
/// within the target time.
/// <para>
/// The run time of a finished task is the time of all slots divided by the number of finished tasks (Little's law), so it includes failed
/// attempts. Then <c>slots = run time × (arrivals + catching up)</c>.
/// </para>
/// <list type="bullet">
/// <item>Arrivals are the tasks that finished plus the growth of the queue. Growth is spread over at least the target time: a burst must be
/// worked off within that time, and must not be mistaken for the future rate.</item>
/// <item>Catching up is the smaller of two estimates, spread over the target time. Finish rate × oldest age is what the present workers
/// could have finished meanwhile: small while a burst is young, so it adds little while work flows; and it grows at most by the present
/// capacity for each target time that the oldest task waits, so it cannot jump. Due tasks bound it, so that a few leftover or low-priority
/// tasks do not request many slots.</item>
/// <item>In equilibrium nothing waits, tasks arrive as fast as they finish, and the result is the number of running tasks. Below it the
/// oldest age grows, which raises the result; above it nothing waits. Waiting for a fraction of the target time adds only that fraction, so
/// the result settles instead of oscillating.</item>
/// <item>The result is never below the running tasks: an interrupted task starts again elsewhere. It is at most running plus due tasks,
/// because no other task could use a slot; running is then the mean, since a single sample may miss short tasks.</item>
/// <item>While no task was seen to finish (at first, with slow tasks, or without workers) the run time is unknown. Then each due task
/// requests a slot, but at most as many as run already, or a handful: the result doubles until a task finishes, and depth alone never
/// requests thousands.</item>
/// <item>If the oldest task waits too long although hardly any seem to run, tasks are too short to be sampled: of built-in actions only the
/// completion is recorded. Then the handful counts as running, and grows with the age.</item>
/// </list>
/// </summary>
/// <param name="Slots">Number of concurrent tasks.</param>
/// <param name="FinishedPerSecond">Null while unknown.</param>
/// <param name="ArrivedPerSecond">Null while unknown.</param>
/// <param name="RunSeconds">Slot time of a finished task in seconds; null while unknown.</param>
internal sealed record SlotDemand(int Slots, double? FinishedPerSecond, double? ArrivedPerSecond, double? RunSeconds)
{
    /// <summary>Slots requested while nothing runs and nothing is known.</summary>
    private const int Handful = 10;

    /// <summary>Minimum seconds between two samples, below which a rate would be noise.</summary>
    private const double ShortestSpan = 1;

    /// <summary>Computes the demand.</summary>
    /// <param name="looks">The last samples of the queue, oldest first, at least one.</param>
    /// <param name="within">Target time in seconds until waiting tasks begin.</param>
    /// <param name="limits">Limits of the queue.</param>
    public static SlotDemand Of(IReadOnlyList<Load> looks, double within, SlotLimits limits)
    {
        var now = looks[^1];
        var first = Begin(looks);
        var span = now.At - looks[first].At;
        if (span < ShortestSpan)
            return new(Bound(Blind(now), now, now.Running, limits), null, null, null);
        var finished = now.Finished - looks[first].Finished;
        var (rate, growth) = (finished / span, now.Inside - looks[first].Inside);
        var arrived = Math.Max(0, rate + (growth / span));
        var spent = Spent(looks, first);
        if (finished == 0)
            return new(Bound(Blind(now), now, spent / span, limits), 0, arrived, null);
        var arriving = growth > 0 ? rate + (growth / Math.Max(span, within)) : arrived;
        var catchingUp = Math.Min(rate * now.OldestAge, now.Due) / within;
        var run = spent / finished;
        var wanted = Math.Max(1,
            run * Math.Min(arriving + catchingUp, limits.PerSecond
                ?? double.PositiveInfinity)); // something finished: not idle, though a sample may show nothing running
        if (spent < span && now.OldestAge > within && limits.PerSecond is null)
            wanted = Math.Max(wanted, Handful * now.OldestAge / within);
        return new(Bound(wanted, now, spent / span, limits), rate, arrived, run);
    }

    private static double Blind(Load now) => now.Running + Math.Min(now.Due, Math.Max(now.Running, Handful));

    private static int Bound(double wanted, Load now, double meanRunning, SlotLimits limits)
    {
        if (limits.Paused)
            return (int)Math.Min(now.Running, int.MaxValue);
        var most = Math.Max(Math.Max(meanRunning, now.Running) + now.Due, Math.Min(wanted, 1));
        var slots = Math.Max(now.Running, Math.Ceiling(Math.Round(Math.Min(wanted, most), 2)));
        return (int)Math.Min(slots, limits.MaxRunning > 0 ? limits.MaxRunning : int.MaxValue);
    }

    /// <summary>Index of the oldest sample since the finished counter was last reset, as a purge does.</summary>
    private static int Begin(IReadOnlyList<Load> looks)
    {
        var first = looks.Count - 1;
        while (first > 0 && looks[first - 1].Finished <= looks[first].Finished)
            first--;
        return first;
    }

    /// <summary>Seconds of all slots since a sample.</summary>
    private static double Spent(IReadOnlyList<Load> looks, int first)
    {
        var spent = 0d;
        for (var i = first + 1; i < looks.Count; i++)
            spent += (looks[i].At - looks[i - 1].At) * (looks[i].Running + looks[i - 1].Running) / 2;
        return spent;
    }
}
