namespace TaskQueue.Consumers.Upstreams;

/// <summary>
/// Lets upstreams that serve the same tasks share them in proportion to their weights: one that is ahead of its share claims nothing while
/// another one, which is behind, can take tasks. One that cannot take any now has no claim to its share later.
/// </summary>
internal sealed class WeightedShares
{
    /// <summary>An upstream claims each second or waits for its turn; the others do not wait for one that does neither.</summary>
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(3);

    private readonly TimeProvider _time;
    private readonly Lock _lock = new();
    private readonly Dictionary<Upstream, Share> _shares;
    private TaskCompletionSource _changed = NewSignal();

    /// <param name="upstreams">Upstreams that serve the same tasks.</param>
    /// <param name="time">The clock.</param>
    public WeightedShares(IEnumerable<Upstream> upstreams, TimeProvider time)
    {
        _time = time;
        _shares = upstreams.ToDictionary(u => u, u => new Share(u.Options.Weight));
    }

    /// <summary>Whether an upstream is ahead of another one that can take tasks.</summary>
    /// <param name="upstream">The upstream.</param>
    /// <param name="changed">Completes when that may have changed, but for a pause of the other one.</param>
    public bool IsAhead(Upstream upstream, out Task changed)
    {
        lock (_lock)
        {
            var share = _shares[upstream];
            share.SeenAt = _time.GetTimestamp();
            changed = _changed.Task;
            return _shares.Any(s => s.Value.Taken < share.Taken && CanTake(s.Key, s.Value));
        }
    }

    /// <summary>An upstream claims.</summary>
    /// <param name="upstream">The upstream.</param>
    /// <param name="room">Number of its free slots.</param>
    /// <returns>How many tasks it may claim: its share, if others can take the rest.</returns>
    public int BeginClaim(Upstream upstream, int room)
    {
        lock (_lock)
        {
            var share = _shares[upstream];
            (share.Room, share.SeenAt) = (room, _time.GetTimestamp());
            var all = share.Weight + _shares.Where(s => s.Key != upstream && CanTake(s.Key, s.Value)).Sum(s => s.Value.Weight);
            return (int)Math.Ceiling((double)room * share.Weight / all);
        }
    }

    /// <summary>An upstream has claimed a number of tasks.</summary>
    public void EndClaim(Upstream upstream, int tasks)
    {
        if (tasks == 0)
            return;
        lock (_lock)
        {
            var share = _shares[upstream];
            share.Room -= tasks;
            share.Taken += (double)tasks / share.Weight;
            foreach (var (other, its) in _shares)
            {
                if (other != upstream && !CanTake(other, its))
                    its.Taken = Math.Max(its.Taken, share.Taken);
            }

            Signal();
        }
    }

    /// <summary>An upstream has no free slot.</summary>
    public void Fills(Upstream upstream) => Change(upstream, static (share, _) => share.Room = 0);

    /// <summary>
    /// An upstream puts tasks back, because of a model that pauses or an owner's budget: its slots are free, but the others do not wait for
    /// it now.
    /// </summary>
    public void Defers(Upstream upstream) => Change(upstream, static (share, now) => share.DeferredAt = now);

    private void Change(Upstream upstream, Action<Share, long> change)
    {
        lock (_lock)
        {
            change(_shares[upstream], _time.GetTimestamp());
            Signal();
        }
    }

    /// <summary>Makes those who wait look again.</summary>
    private void Signal()
    {
        _changed.TrySetResult();
        _changed = NewSignal();
    }

    private bool CanTake(Upstream upstream, Share share) =>
        share.Room > 0 && _time.GetElapsedTime(share.SeenAt) < LongestSilence && !upstream.IsPaused
        && (share.DeferredAt is not { } deferred || _time.GetElapsedTime(deferred) >= LongestSilence);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What an upstream has taken.</summary>
    private sealed class Share(int weight)
    {
        public int Weight => weight;

        /// <summary>Tasks, divided by the weight.</summary>
        public double Taken { get; set; }

        /// <summary>Free slots that the last claim left.</summary>
        public int Room { get; set; }

        /// <summary>When it last began a claim, or looked whether it is its turn.</summary>
        public long SeenAt { get; set; }

        /// <summary>When it last put a task back; null: never.</summary>
        public long? DeferredAt { get; set; }
    }
}
