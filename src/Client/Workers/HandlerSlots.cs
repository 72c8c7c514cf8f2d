namespace TaskQueue.Client;

/// <summary>
/// Slots of single handlers within those of the worker. An attempt whose handler has no free slot waits here, and occupies none of the
/// worker's, so that tasks of other names pass it.
/// </summary>
internal sealed class HandlerSlots(WorkerRuntimeOptions options)
{
    /// <summary>More than a worker holds: beyond it, some that wait must have lost their task.</summary>
    private const int MaxWaiting = 1000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, Slots> _slots = new(StringComparer.Ordinal);

    /// <summary>Takes a slot for an attempt.</summary>
    /// <returns>False if none is free: <see cref="Leave"/> returns the attempt once one is.</returns>
    public bool TryEnter(Attempt attempt)
    {
        if (options.LimitsOf(attempt.Item)?.Concurrency is not { } most)
            return true;
        lock (_lock)
        {
            if (!_slots.TryGetValue(attempt.Item.Name!, out var slots))
                _slots[attempt.Item.Name!] = slots = new Slots();
            if (slots.Taken < most)
            {
                slots.Taken++;
                return true;
            }

            if (slots.Waiting.Count >= MaxWaiting)
                slots.Waiting = new Queue<Attempt>(slots.Waiting.Where(a => !a.IsOver));
            slots.Waiting.Enqueue(attempt);
            return false;
        }
    }

    /// <summary>Gives the slot of an attempt to the next one that waits for it.</summary>
    /// <returns>The attempt to run in its place; null if none waits.</returns>
    public Attempt? Leave(Attempt attempt)
    {
        if (options.LimitsOf(attempt.Item)?.Concurrency is null)
            return null;
        lock (_lock)
        {
            var slots = _slots[attempt.Item.Name!];
            while (slots.Waiting.TryDequeue(out var next))
            {
                if (!next.IsOver)
                    return next;
            }

            slots.Taken--;
            return null;
        }
    }

    private sealed class Slots
    {
        public int Taken { get; set; }

        public Queue<Attempt> Waiting { get; set; } = new();
    }
}
