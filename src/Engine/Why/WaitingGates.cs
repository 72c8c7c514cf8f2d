using TaskQueue.Engine.Quarantine;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Engine.Why;

/// <summary>
/// What keeps a waiting task from running. Everything that a claim, a dispatch or the machine demands of a task has a gate here. Limits,
/// workers and the bus change by themselves, so they count only when the task is due.
/// </summary>
internal static class WaitingGates
{
    /// <summary>The dispatcher saves where it stands once a second.</summary>
    private static readonly TimeSpan NormalLag = TimeSpan.FromSeconds(5);

    /// <summary>The gates in the order in which they are worth a look; at least one.</summary>
    public static IReadOnlyList<WhyGate> Of(WaitingView view)
    {
        if (view.Task.ExpiresAt is { } expiry && expiry <= view.Now)
            return [new(Gates.Expired, $"It expired at {WhyText.At(expiry)}, before it was started, and is about to end.")];

        List<WhyGate> gates = [.. Lasting(view)];
        if (view.Task.DueAt <= view.Now)
            gates.AddRange(view.Task.Push ? OfPush(view) : OfPull(view));
        if (gates.Count == 0)
            gates.Add(view.Task.Push ? Sent(view) : Turn(view));
        return gates;
    }

    private static IEnumerable<WhyGate> Lasting(WaitingView view)
    {
        var task = view.Task;
        var isParked = WaitingView.ParkedAs(task) is { } kind && (kind == QuarantineKinds.Expiry || view.Facts.SetAsideAt is not null);
        if (isParked)
            yield return new(Gates.Quarantined, WhyText.SetAside(view.Facts.SetAsideAt, task));
        if (task.DueAt > view.Now && task.DueAt < ParkedTimes.Never)
        {
            yield return new(
                Gates.DueTime,
                task.State == TaskStates.Retrying ? $"An attempt failed, and the next one may start at {WhyText.At(task.DueAt)}."
                    : $"It may start at {WhyText.At(task.DueAt)}.") { OpensAt = task.DueAt };
        }

        if (view.Settings.Paused)
            yield return new(Gates.Paused, $"Queue {task.Queue} is paused, and hands out no task until it is resumed.");
        if (task.Blocked)
            yield return Key(view);
    }

    private static WhyGate Key(WaitingView view)
    {
        var (facts, head) = (view.Facts, view.Facts.RunningHead ?? view.Facts.WaitingHead);
        var seen = view.Seen.Where(h => h.TaskId == head).ToList();
        var first = facts.RunningHead is not null ? "the running one has to end first"
            : seen is [{ DueAt: var due }] && due > view.Now ? $"an earlier one goes first, which may start at {WhyText.At(due)}"
            : "an earlier one goes first";
        var between = facts.AheadOfKey switch
        {
            0 => "",
            _ when !view.ShowsCounts => ", then others",
            > WaitingFacts.MostCounted => $", then more than {WaitingFacts.MostCounted} others",
            1 => ", then another one",
            var count => $", then {count} others",
        };
        return new(Gates.OrderingKey, $"Tasks with its ordering key run one at a time: {first}{between}.")
        {
            Holders = seen,
            Position = facts.AheadOfKey > WaitingFacts.MostCounted || !view.ShowsCounts ? null : facts.AheadOfKey + 2,
        };
    }

    private static IEnumerable<WhyGate> OfPull(WaitingView view)
    {
        var (task, settings, facts) = (view.Task, view.Settings, view.Facts);
        if (WaitingView.IsFull(task, settings, facts))
        {
            yield return new(Gates.ConcurrencyLimit,
                view.ShowsCounts
                    ? $"Queue {task.Queue} runs {WhyText.Tasks(facts.Running)}, and at most {settings.MaxRunning} may run at a time."
                    : $"Queue {task.Queue} runs as many tasks as may run at a time.")
            {
                Holders = view.Running,
            };
        }

        if (NextToken(view) is { } next)
        {
            var rate = settings.Rate!;
            yield return new(Gates.RateLimit,
                $"Queue {task.Queue} may start {WhyText.Tasks(rate.MaxTokens)} every {rate.IntervalMs / 1000.0} s; the next token comes at "
                    + $"{WhyText.At(next)}.") { OpensAt = next };
        }

        if (facts.LockedBy is { } holder)
        {
            yield return new(Gates.TierLock,
                "A worker takes one task at a time from its queue and tier, and others like it wait until that task ends, at the latest "
                    + $"until {WhyText.At(facts.LockedUntil ?? view.Now)}.")
            {
                Holders = [.. view.Seen.Where(h => h.TaskId == holder)], OpensAt = facts.LockedUntil,
            };
        }

        if (!facts.IsServed)
        {
            yield return new(Gates.NoWorker, $"No worker claims from {WhyText.Tier(task)}: " + (facts.ServedAt is { } seen
                ? $"the last one was seen at {WhyText.At(seen)}." : "none that did is known."));
        }
    }

    /// <summary>When the next token comes; null if there is one, or no rate limit.</summary>
    private static DateTime? NextToken(WaitingView view)
    {
        if (view.Settings.Rate is not { } rate || view.Facts.BucketBase is not { } stored)
            return null;
        var now = Micros.FromTime(view.Now) * 1000;
        var empty = Math.Max(stored, now - (rate.MaxTokens * rate.PeriodNs)) + rate.PeriodNs;
        return empty <= now ? null : Micros.ToTime((empty + 999) / 1000);
    }

    private static IEnumerable<WhyGate> OfPush(WaitingView view)
    {
        var (task, push) = (view.Task, view.Push);
        if (view.Settings.Paused || view.Facts.SetAsideAt is not null)
            yield break; // then it is not dispatched
        if (WaitingView.SentAt(task, view.Now) is not { } sent)
        {
            yield return new(Gates.PushBacklog,
                view.IsBusFull ? "The in-process bus is full, so the scheduler has not sent it to its workers yet."
                    : task.DispatchAt is { } due ? $"The scheduler has not sent it to its workers yet, which was due at {WhyText.At(due)}."
                    : "The scheduler has not sent it to its workers yet.");
            yield break;
        }

        if (push?.HeldSince is { } since)
        {
            var reason = view.ShowsReasons && push.Reason.Length > 0 ? $" ({push.Reason})" : "";
            yield return new(Gates.PushBacklog,
                $"The broker has taken no task of queue {task.Queue} since {WhyText.At(since)}{reason}; sending is tried again and again.");
        }
        else if (view.OldestEventAt is { } oldest && oldest <= sent && view.Now - oldest > NormalLag)
        {
            yield return new(Gates.PushBacklog,
                $"The dispatcher is behind: events since {WhyText.At(oldest)} wait in the outbox, and its own among them.");
        }

        if (push is { Consumers: 0 })
            yield return new(Gates.NoWorker, $"No worker consumes queue {task.Queue} at the broker.");
    }

    private static WhyGate Sent(WaitingView view)
    {
        var (task, messages) = (view.Task, view.Push?.Messages ?? 0);
        var sent = WaitingView.SentAt(task, view.Now) is { } at ? $" at {WhyText.At(at)}" : "";
        var others = messages switch
        {
            0 => "",
            _ when !view.ShowsCounts => ", where messages wait",
            1 => ", where a message waits",
            _ => $", where {messages} messages wait",
        };
        return new(Gates.WaitingTurn, $"It was sent to the workers of queue {task.Queue}{sent}{others}, and waits for one of them.");
    }

    private static WhyGate Turn(WaitingView view) => view.Facts.Ahead switch
    {
        0 => new(Gates.WaitingTurn, "It may be claimed at once: the next worker that asks gets it.") { Position = 1 },
        _ when !view.ShowsCounts => new(Gates.WaitingTurn, "Other tasks of its queue and tier go first."),
        > WaitingFacts.MostCounted =>
            new(Gates.WaitingTurn, $"More than {WaitingFacts.MostCounted} tasks of its queue and tier go first."),
        1 => new(Gates.WaitingTurn, "A task of its queue and tier goes first.") { Position = 2 },
        var count => new(Gates.WaitingTurn, $"{count} tasks of its queue and tier go first.") { Position = count + 1 },
    };
}
