namespace TaskQueue.Client;

/// <summary>Reports of outcomes. Whatever has arrived is not sent again because of another outcome.</summary>
internal abstract partial class PullTransport
{
    public async Task<IReadOnlyList<Attempt>> ReportAsync(IReadOnlyList<Attempt> attempts, CancellationToken cancellationToken)
    {
        IReadOnlyList<TaskQueueException?> refusals;
        try
        {
            refusals = await SendAsync([.. attempts.Select(Line)], cancellationToken);
        }
        catch (TaskQueueException fault) when (IsOfContent(fault) && attempts.Count > 1)
        {
            return await EachAsync(attempts, hasArrived: false, attempt => ReportAsync([attempt], cancellationToken));
        }
        catch (TaskQueueException fault) when (IsOfContent(fault))
        {
            refusals = [fault];
        }

        var refused = new Dictionary<Attempt, TaskQueueException>();
        foreach (var (attempt, refusal) in attempts.Zip(refusals))
        {
            if (refusal is not null)
                refused[attempt] = refusal;
        }

        return await EachAsync([.. attempts.Where(refused.ContainsKey)], hasArrived: refused.Count < attempts.Count,
            attempt => ReportRefusedAsync(attempt, refused[attempt], cancellationToken));
    }

    /// <summary>Reports attempts one after the other.</summary>
    /// <param name="attempts">The attempts.</param>
    /// <param name="hasArrived">Whether others of the same report have arrived.</param>
    /// <param name="report">Reports one.</param>
    /// <returns>Those to report again: once one has arrived, a fault must not have all sent again, or none might ever end.</returns>
    private static async Task<IReadOnlyList<Attempt>> EachAsync(IReadOnlyList<Attempt> attempts, bool hasArrived,
        Func<Attempt, Task> report)
    {
        for (var i = 0; i < attempts.Count; i++)
        {
            try
            {
                await report(attempts[i]);
            }
            catch (TaskQueueException) when (hasArrived || i > 0)
            {
                return [.. attempts.Skip(i)];
            }
        }

        return [];
    }

    /// <summary>
    /// Reports an outcome that was refused without its log and stack, and without a delay that an older server does not know: they must
    /// not fail the task. If it is refused again, or has none of these, the task fails.
    /// </summary>
    private async Task ReportRefusedAsync(Attempt attempt, TaskQueueException fault, CancellationToken cancellationToken)
    {
        if (attempt.LastLog() is not null || attempt.Outcome is { Stack: not null } or { RetryAfter: not null })
        {
            try
            {
                await SendOneAsync(OutcomeOf(attempt) with { Stack = null, RetryAfterSeconds = null }, cancellationToken);
                return;
            }
            catch (TaskQueueException again) when (IsOfContent(again))
            {
                // It is the outcome itself.
            }
        }

        LogRefused(attempt.Item.Id, fault.Message);
        await SendOneAsync(Refusal(attempt, fault.Message), cancellationToken);
    }

    private static bool IsOfContent(TaskQueueException fault) => fault.Status is 400 or 413 or 422;

    private async Task SendOneAsync(ReportLine line, CancellationToken cancellationToken)
    {
        if (await SendAsync([line], cancellationToken) is [{ } refusal, ..])
            throw refusal;
    }

    /// <returns>Why each was refused, or null: the others have arrived.</returns>
    private async Task<IReadOnlyList<TaskQueueException?>> SendAsync(IReadOnlyList<ReportLine> lines, CancellationToken cancellationToken)
    {
        var answers = await CallAsync(new ReportRequest(lines), cancellationToken);
        Obey(answers.Drain);
        foreach (var answer in answers.Tasks.Where(a => a.IsGone))
            LogLost(answer.Id, answer.Attempt, answer.Code);
        return [.. answers.Tasks.Select(a => a.ToRefusal())];
    }

    private static ReportLine Line(Attempt attempt) => OutcomeOf(attempt) with { Logs = Lines(attempt.LastLog()) };

    private static ReportLine OutcomeOf(Attempt attempt) =>
        attempt switch
        {
            { Outcome.Delay: { } delay } => new(attempt.Item.Id, attempt.Item.Attempt, "snoozed", null, null, null, delay.TotalSeconds),
            { Outcome: { Error: { } error } outcome } =>
                new(attempt.Item.Id, attempt.Item.Attempt, "failed", null, error, outcome.Retryable, null)
                {
                    ErrorType = outcome.ErrorType,
                    Stack = outcome.Stack,
                    RetryAfterSeconds = outcome.RetryAfter?.TotalSeconds,
                },
            _ => new(attempt.Item.Id, attempt.Item.Attempt, "completed", attempt.Outcome?.Result, null, null, null),
        };

    private static ReportLine Refusal(Attempt attempt, string why) =>
        new(attempt.Item.Id, attempt.Item.Attempt, "failed", null, $"the server refused the outcome: {why}", Retryable: false, null);
}
