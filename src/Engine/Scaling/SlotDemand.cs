namespace TaskQueue.Engine.Scaling;

/// <summary>What a queue, or one of its tiers, held at one time.</summary>
/// <param name="At">When, in seconds of a clock that nobody sets.</param>
/// <param name="Due">Tasks that may run now.</param>
/// <param name="Later">Tasks whose time is to come.</param>
/// <param name="Blocked">Tasks behind another with their ordering key.</param>
/// <param name="Running">Tasks with a lease.</param>
/// <param name="Finished">Tasks that have completed or failed so far.</param>
/// <param name="OldestAge">For how many seconds the oldest due task has waited.</param>
internal sealed record Load(double At, long Due, long Later, long Blocked, long Running, long Finished, double OldestAge)
{
    /// <summary>What has come and has not ended.</summary>
    public long Inside => Due + Blocked + Running;
}

/// <summary>What a queue's settings say of how much may run.</summary>
/// <param name="Paused">Nothing is handed out.</param>
/// <param name="MaxRunning">At most so many run at once; 0 is unlimited.</param>
/// <param name="PerSecond">At most so many are handed out in a second; null is unlimited.</param>
internal sealed record SlotLimits(bool Paused = false, int MaxRunning = 0, double? PerSecond = null);

/// <summary>
/// How many tasks at once a queue needs. The number answers two questions: how many slots the tasks that come keep busy, and how
/// many more it takes until what waits has been begun within the time that it may wait.
/// <para>
/// The time that a finished task took of a slot is what all slots spent, divided by what was finished (Little's law): attempts that
/// failed are in it. With it, <c>slots = run time × (arrivals + catching up)</c>.
/// </para>
/// <list type="bullet">
/// <item>Arrivals are what finished and what the queue grew by. Growth counts as if it had come over the time that tasks may wait at
/// least: a burst is to be through within that time, and not to be taken for what comes from now on.</item>
/// <item>Catching up is the smaller of two guesses of what waits, spread over that time. Finish rate × oldest age is what the
/// workers there are would have got through meanwhile: small while a burst is young, so it asks for little more where the work
/// flows; and it grows by as much as there is already for each such time that the oldest waits longer, so it cannot jump. Due tasks
/// bound it, so that a few left behind, or of low priority, do not ask for a crowd.</item>
/// <item>In balance nothing waits, what comes is what finishes, and the number is what runs. Under it the oldest grows older, which
/// asks for more; above it nobody waits. Waiting at a fraction of the time that is allowed makes room for just that fraction more, so
/// the number comes to rest instead of swinging.</item>
/// <item>What runs is never asked away: a task that is broken off is begun anew elsewhere. At most what runs and what is due is
/// asked for, because nobody else could use a slot; what runs is then the mean, since a moment may find quick tasks in between.</item>
/// <item>Where nothing was seen to finish (at first, with slow tasks, or because all workers are away) the run time is unknown. Then
/// each due task wants a slot, but no more of them than run already, or a handful: that doubles as they come, until something
/// finishes, and depth alone never asks for thousands.</item>
/// <item>Where the oldest waits for too long though hardly anything is seen to run, the run time is too short to be seen: quick built-in
/// actions are told of with their end only. Then the handful counts as what runs, and grows with the age.</item>
/// </list>
/// </summary>
/// <param name="Slots">Tasks at once.</param>
/// <param name="FinishedPerSecond">Null where it is not known yet.</param>
/// <param name="ArrivedPerSecond">Null where it is not known yet.</param>
/// <param name="RunSeconds">Time of a slot that a finished task took; null where it is not known yet.</param>
internal sealed record SlotDemand(int Slots, double? FinishedPerSecond, double? ArrivedPerSecond, double? RunSeconds)
{
    /// <summary>Slots that are asked for where nothing runs and nothing is known.</summary>
    private const int Handful = 10;

    /// <summary>Seconds between two looks, below which a rate would be noise.</summary>
    private const double ShortestSpan = 1;

    /// <summary>Computes it.</summary>
    /// <param name="looks">The last looks at the queue, oldest first, at least one.</param>
    /// <param name="within">Seconds within which what waits should be begun.</param>
    /// <param name="limits">What the queue allows.</param>
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
                ?? double.PositiveInfinity)); // something finished: not idle, though a look may find nothing
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

    /// <summary>The oldest look since which the count of what finished has not been set back, as a purge does.</summary>
    private static int Begin(IReadOnlyList<Load> looks)
    {
        var first = looks.Count - 1;
        while (first > 0 && looks[first - 1].Finished <= looks[first].Finished)
            first--;
        return first;
    }

    /// <summary>Seconds of all slots since a look.</summary>
    private static double Spent(IReadOnlyList<Load> looks, int first)
    {
        var spent = 0d;
        for (var i = first + 1; i < looks.Count; i++)
            spent += (looks[i].At - looks[i - 1].At) * (looks[i].Running + looks[i - 1].Running) / 2;
        return spent;
    }
}
