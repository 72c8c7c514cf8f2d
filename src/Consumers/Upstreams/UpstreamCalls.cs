using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using TaskQueue.Client;
using TaskQueue.Engine;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>Sends tasks to their upstreams at the pace of these, retries where useful, and turns responses into results.</summary>
internal sealed partial class UpstreamCalls(
    IReplySender replies, UpstreamHttp http, OwnerBudget budget, TimeProvider time, ILogger<UpstreamCalls> logger)
{
    private readonly UsedRetries _used = new();

    /// <summary>Runs a task to its outcome.</summary>
    /// <param name="upstream">The upstream.</param>
    /// <param name="attempt">The attempt; cancelling it aborts the request in flight.</param>
    /// <param name="task">The task.</param>
    /// <param name="cancellationToken">Stops starting new requests.</param>
    /// <exception cref="OperationCanceledException">There is no outcome: another worker must run the task.</exception>
    public async Task<TaskOutcome> RunAsync(Upstream upstream, Attempt attempt, TaskState task, CancellationToken cancellationToken)
    {
        var ending = CompletionActionsJson.Of(task);
        var headers = TaskHeaders.Of(task);
        var sink = headers.IsStreaming && task.Tier == 0 && ending?.ReplyTo is { } replyTo
            ? new ProgressSink(replies, replyTo, task.CorrelationId) : null;
        var requestId = UpstreamAnswer.RequestId(task, ending?.LeaseExpiryResult);
        if (upstream.UrlOf(task.Name) is not { } url)
        {
            var unknown = UpstreamAnswer.Error((int)HttpStatusCode.NotFound, $"no upstream of this queue serves {task.Name}");
            return await EndAsync(unknown, sink, requestId, attempt);
        }

        var request = OutgoingRequest.Of(task, url, requestId, upstream.Options.ApiKey);
        using var noMore = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, attempt.Cancelled);
        using var call = new UpstreamCall(upstream, task, request, new WaitNote(attempt, time, upstream.Options.Endpoint))
        {
            Retries = _used.Take(task.CorrelationId),
        };
        var (answer, deferred) = await AskAsync(call, sink, noMore.Token, attempt.Cancelled);
        if (answer is not null)
            return await EndAsync(answer, sink, requestId, attempt);
        _used.Keep(task.CorrelationId, call.Retries);
        if (deferred > TimeSpan.Zero)
            upstream.Defers();
        return TaskOutcome.Snooze(deferred * (1 + (0.1 * Chance()))); // nothing was told to the caller yet
    }

    private static async Task<TaskOutcome> EndAsync(UpstreamAnswer answer, ProgressSink? sink, string requestId, Attempt attempt)
    {
        if (sink is not null && !answer.IsTold)
            await sink.TellAsync(answer, attempt.Cancelled);
        return TaskOutcome.CompletedUnchecked(answer.ToResult(requestId));
    }

    /// <returns>The answer; or null and for how long the task is deferred.</returns>
    private async Task<(UpstreamAnswer? Answer, TimeSpan Deferred)> AskAsync(
        UpstreamCall call, ProgressSink? sink, CancellationToken noMore, CancellationToken abort)
    {
        UpstreamAnswer? failure = null; // while another upstream is tried after it
        while (true)
        {
            if (!await call.EnterAsync(noMore))
            {
                if (call.Own.HasModels || call.Own.IsPaused)
                    return (null, call.Own.Detour(call.Request.IsOnline));
                await Task.Delay(Upstream.LongestHold, time, noMore); // it holds up no other model
                continue;
            }

            var options = call.Upstream.Options;
            var isGuest = call.Upstream != call.Own; // who has no place in its lines
            var (charge, wait) = await budget.ChargeAsync(
                options, call.Request, isGuest ? TimeSpan.MaxValue : Upstream.LongestHold, noMore);
            if (charge is null && wait > Upstream.LongestHold && isGuest && failure is not null)
            {
                call.TryAllAgain();
                if (call.Retries++ >= call.Own.Options.MaxRetries)
                    return (failure, default);
                failure = null;
                await BackOffAsync(call, noMore);
                continue;
            }

            if (charge is null)
            {
                if (wait > Upstream.LongestHold)
                    return (null, isGuest ? call.Own.Detour(call.Request.IsOnline) : wait); // others' tasks have their turn
                call.Note.Waits(wait, "the budget of its owner");
                await Task.Delay(wait, time, noMore);
                continue;
            }

            if (await TurnAsync(call, charge, noMore) is { } deferral)
            {
                if (deferral <= TimeSpan.Zero || call.CanMove)
                    continue;
                return (null, deferral);
            }

            call.HasServerTurn = false;
            var answer = await SendAsync(call, sink, abort);
            call.Note.Over();
            await budget.SettleAsync(options, charge, answer);
            Learn(call, answer);
            var isPatient = call.Request.IsItem && answer.IsNotNow && !(call.Request.BatchEndsAt <= time.GetUtcNow().UtcDateTime);
            if (!isPatient && !answer.MayRetry)
                return (answer, default);
            var isElsewhere = !isPatient && call.TryNext();
            failure = isElsewhere ? answer : null;
            if (!isPatient && !isElsewhere && call.Retries++ >= call.Own.Options.MaxRetries)
                return (answer, default);
            LogRetry(call.Request.RequestId, options.Endpoint, options.BaseUrl, Told(answer), call.Retries);
            if (isElsewhere || answer.IsNotNow || answer.IsSilent || answer.RetryAfter is not null)
                continue;
            await BackOffAsync(call, noMore);
        }
    }

    private async Task BackOffAsync(UpstreamCall call, CancellationToken noMore)
    {
        call.Leave();
        await Task.Delay(RetryWaits.Backoff(call.Retries - 1, Chance()), time, noMore);
    }

    /// <summary>Sends a request and measures it, if its upstream adapts to what is measured.</summary>
    private async Task<UpstreamAnswer> SendAsync(UpstreamCall call, ProgressSink? sink, CancellationToken abort)
    {
        if (call.Upstream.Concurrency is not { } limit)
            return await http.SendAsync(call.Upstream.Options, call.Request, sink, abort);
        UpstreamAnswer? answer = null;
        var isProbe = call.Pace.IsRefused || call.Upstream.Server.IsRefused;
        var sent = limit.Sent();
        try
        {
            return answer = await http.SendAsync(call.Upstream.Options, call.Request, sink, abort);
        }
        finally
        {
            limit.Ended(sent, abort.IsCancellationRequested ? RequestEnd.Ignored
                : answer is { IsLate: true } or { IsSilent: false, IsNotNow: true } or { IsSilent: false, RetryAfter: not null }
                    ? isProbe ? RequestEnd.Ignored : RequestEnd.Overload
                : answer is { Status: < 500, IsNotNow: false } ? RequestEnd.Served : RequestEnd.Failed);
        }
    }

    /// <summary>
    /// Silence concerns the whole server, unless it broke off a stream; a refusal concerns its model, and shows that the server is there.
    /// </summary>
    private static void Learn(UpstreamCall call, UpstreamAnswer answer)
    {
        var (server, pace) = (call.Upstream.Server, call.Pace);
        if (answer.IsSilent && (answer.MayRetry || answer.IsLate))
        {
            server.Refused(call.ServerTurn, null, isThrottled: answer.IsLate, Why(answer), Chance());
            return;
        }

        var isRefused = answer.IsNotNow || answer.RetryAfter is not null;
        if (!isRefused || pace != server)
            server.Answered();
        if (isRefused)
            pace.Refused(call.Turn, answer.RetryAfter, isThrottled: true, Why(answer), Chance());
        else if (pace != server)
            pace.Answered();
    }

    /// <summary>Waits for the turn of a request; what it was charged is given back if it is not sent.</summary>
    /// <returns>Null once it may be sent; otherwise for how long the task is to wait in the queue.</returns>
    private async Task<TimeSpan?> TurnAsync(UpstreamCall call, Charge charge, CancellationToken noMore)
    {
        var isSent = false;
        try
        {
            var deferral = await DeferralAsync(call, noMore);
            isSent = deferral is null;
            return deferral;
        }
        finally
        {
            if (!isSent)
                await budget.RefundAsync(call.Upstream.Options, charge);
        }
    }

    /// <summary>Waits for the turn of a request, with the server and with its model.</summary>
    /// <returns>
    /// Null once it may be sent; otherwise for how long the task is to wait in the queue, or zero if its upstream is to be chosen anew.
    /// </returns>
    private async Task<TimeSpan?> DeferralAsync(UpstreamCall call, CancellationToken noMore)
    {
        if (!call.HasServerTurn)
        {
            if (await HoldAsync(call, call.Upstream.Server, noMore) is not { } serverTurn)
                return TimeSpan.Zero;
            (call.ServerTurn, call.HasServerTurn) = (serverTurn, true);
        }

        call.Turn = call.ServerTurn;
        if (call.Pace == call.Upstream.Server)
            return null;
        if (call.Upstream.HasModels || call.Own.HasModels) // which it must not hold up
        {
            call.Turn = await call.Pace.EnterAsync(
                Upstream.LongestHold, call.Request.IsOnline, wait => call.Note.Waits(wait, call.Pace.Reason), noMore);
            return call.Turn.Wait > TimeSpan.Zero ? call.Turn.Wait : null;
        }

        if (await HoldAsync(call, call.Pace, noMore) is not { } turn)
            return TimeSpan.Zero;
        call.Turn = turn;
        return null;
    }

    /// <summary>Waits for a turn in the process, however long.</summary>
    /// <returns>The turn; null: it is time to look whether another upstream can have one earlier.</returns>
    private async Task<PaceTurn?> HoldAsync(UpstreamCall call, RequestPace pace, CancellationToken noMore)
    {
        if (!call.HasOthers)
            return await EnterAsync(noMore);
        using var look = new CancellationTokenSource(Upstream.LongestHold, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(look.Token, noMore);
        try
        {
            return await EnterAsync(either.Token);
        }
        catch (OperationCanceledException) when (!noMore.IsCancellationRequested)
        {
            return null;
        }

        Task<PaceTurn> EnterAsync(CancellationToken over) =>
            pace.EnterAsync(TimeSpan.MaxValue, call.Request.IsOnline, wait => call.Note.Waits(wait, pace.Reason), over);
    }

    /// <summary>What those who wait are told: they may be other owners than the one whose request was refused.</summary>
    private static string Why(UpstreamAnswer answer) =>
        !answer.IsSilent ? $"the upstream answered {answer.Status}"
        : answer.IsLate ? "the upstream did not answer in time"
        : answer.IsNotNow ? "the upstream could not be reached" : "the connection to the upstream broke";

    /// <summary>What the log is told.</summary>
    private static string Told(UpstreamAnswer answer)
    {
        try
        {
            using var body = JsonDocument.Parse(answer.Body);
            var error = body.RootElement.ValueKind == JsonValueKind.Object && body.RootElement.TryGetProperty("error", out var inner)
                ? inner : body.RootElement;
            return TextRules.Read(error, "message") is { Length: > 0 } message ? $"{answer.Status}: {TextRules.Cut(message, 200)}"
                : $"status {answer.Status}";
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return $"status {answer.Status}";
        }
    }

#pragma warning disable CA5394 // jitter is not a secret
    private static double Chance() => Random.Shared.NextDouble();
#pragma warning restore CA5394

    [LoggerMessage(LogLevel.Information,
        "Task {RequestId}: {Endpoint} at {BaseUrl} answered {Answer}; it is sent again, with {Retries} retries used")]
    private partial void LogRetry(string requestId, string endpoint, string baseUrl, string answer, int retries);
}

/// <summary>The task headers, set by the callers' APIs, that are relevant to an upstream.</summary>
internal sealed record TaskHeaders(bool IsStreaming)
{
    public static TaskHeaders Of(TaskState task)
    {
        try
        {
            using var headers = JsonDocument.Parse(task.Headers ?? "{}");
            return new(TextRules.Read(headers.RootElement, "response_mode") == "streaming");
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return new(false); // submitted by a bus producer
        }
    }
}
