using System.Text.Json;
using Microsoft.Extensions.Logging;
using TaskQueue.Engine;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Quotas;

namespace TaskQueue.Consumers.Upstreams;

/// <summary>What a request was charged before it was sent.</summary>
/// <param name="Key">The budget of tokens; null if there is none.</param>
/// <param name="Tokens">Tokens estimated.</param>
/// <param name="RequestKey">The budget of requests; null if there is none.</param>
internal sealed record Charge(string? Key, long Tokens, string? RequestKey);

/// <summary>
/// Budgets of requests and tokens a minute that each owner has at an upstream. Tokens are estimated before a request is sent, and settled
/// with what its answer says it used.
/// </summary>
internal sealed partial class OwnerBudget(SharedBudget budgets, TimeProvider time, ILogger<OwnerBudget> logger)
{
    /// <summary>For estimates.</summary>
    internal const int BytesPerToken = 4;

    private const int MaxLines = 10_000;

    private static readonly Charge Nothing = new(null, 0, null);

    /// <summary>Longest place in the line of an owner's requests.</summary>
    private static readonly TimeSpan LongestLine = TimeSpan.FromMinutes(10);

    /// <summary>How long a request waits if the database does not say whether it may be sent.</summary>
    private static readonly TimeSpan Unknown = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Dictionary<(string Key, bool IsOnline), long> _lines = []; // the next free place of each budget
    private readonly long _began = time.GetTimestamp();

    /// <summary>Charges a request.</summary>
    /// <param name="upstream">The upstream.</param>
    /// <param name="request">The request.</param>
    /// <param name="patience">Longer waits are places in a line that moves twice as fast as the budget fills.</param>
    /// <param name="cancellationToken">Cancels the statements.</param>
    /// <returns>The charge; or null and the time until the owner's budget allows the request.</returns>
    public async Task<(Charge? Charge, TimeSpan Wait)> ChargeAsync(UpstreamOptions upstream, OutgoingRequest request, TimeSpan patience,
        CancellationToken cancellationToken)
    {
        var charge = Nothing;
        try
        {
            if (upstream.OwnerTokensPerMinute is { } tokens)
            {
                var (key, estimate) = (KeyOf("tokens", upstream, request), request.Tokens);
                if (await budgets.TakeAsync(key, tokens, estimate, cancellationToken) is var wait && wait > TimeSpan.Zero)
                    return (null, LineUp((key, request.IsOnline), wait, estimate, tokens, patience));
                charge = charge with { Key = key, Tokens = estimate };
            }

            if (upstream.OwnerRequestsPerMinute is { } requests)
            {
                var key = KeyOf("requests", upstream, request);
                if (await budgets.TakeAsync(key, requests, 1, cancellationToken) is var wait && wait > TimeSpan.Zero)
                {
                    await RefundAsync(upstream, charge);
                    return (null, LineUp((key, request.IsOnline), wait, 1, requests, patience));
                }

                charge = charge with { RequestKey = key };
            }

            return (charge, TimeSpan.Zero);
        }
        catch (Exception fault) when (StorageFaults.IsTransient(fault))
        {
            LogNotCharged(fault, upstream.Endpoint);
            await RefundAsync(upstream, charge);
            return (null, Unknown);
        }
    }

    /// <summary>Settles a charge: an answer that tells no usage keeps the estimate, and a request that was refused used nothing.</summary>
    public async Task SettleAsync(UpstreamOptions upstream, Charge charge, UpstreamAnswer answer)
    {
        if (answer.IsNotNow)
            await RefundAsync(upstream, charge); // refused, or there was no connection
        else if (charge.Key is { } key && upstream.OwnerTokensPerMinute is { } tokens)
            await CorrectAsync(key, tokens, UsedBy(answer, charge.Tokens) - charge.Tokens);
    }

    private static long UsedBy(UpstreamAnswer answer, long estimate) =>
        answer.Tokens
        ?? (answer.IsTold ? estimate
            : answer.Status is >= 200 and < 300 ? UsageOf(answer.Body) ?? estimate
            : answer.IsSilent ? estimate : 0);

    /// <summary>Takes back the charge of a request that was not sent.</summary>
    public async Task RefundAsync(UpstreamOptions upstream, Charge charge)
    {
        if (charge.Key is { } key && upstream.OwnerTokensPerMinute is { } tokens)
            await CorrectAsync(key, tokens, -charge.Tokens);
        if (charge.RequestKey is { } requestKey && upstream.OwnerRequestsPerMinute is { } requests)
            await CorrectAsync(requestKey, requests, -1);
    }

    /// <summary>Tokens of a request without its answer: four bytes each.</summary>
    internal static long Measure(byte[] payload) => Math.Max(1L, payload.Length / BytesPerToken);

    /// <summary>Tokens of a request: four bytes each, and the most that the answer may have, if the request limits it.</summary>
    internal static long Estimate(byte[] payload)
    {
        var tokens = Measure(payload);
        try
        {
            using var document = JsonDocument.Parse(payload, new JsonDocumentOptions { MaxDepth = 1024 });
            foreach (var name in new[] { "max_completion_tokens", "max_output_tokens", "max_tokens" })
            {
                if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(name, out var most)
                    && most.ValueKind == JsonValueKind.Number && most.TryGetInt32(out var count) && count > 0)
                    return tokens + count;
            }
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            // Submitted by a bus producer.
        }

        return tokens;
    }

    private static long? UsageOf(string body)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = 1024 });
            var usage = new BatchUsage();
            usage.AddAnswer(document.RootElement);
            return usage.TotalTokens > 0 ? usage.TotalTokens : null;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    private static string KeyOf(string of, UpstreamOptions upstream, OutgoingRequest request) =>
        SharedBudget.KeyOf($"{of} {upstream.Endpoint} {upstream.BaseUrl}", request.Owner);

    private async Task CorrectAsync(string key, long perMinute, long difference)
    {
        try
        {
            await budgets.SettleAsync(key, perMinute, difference, CancellationToken.None);
        }
#pragma warning disable CA1031 // the answer is paid for and must not be lost
        catch (Exception fault)
#pragma warning restore CA1031
        {
            LogNotSettled(fault, difference);
        }
    }

    /// <summary>
    /// Gives each that waits long a place of its own, so that not all come back at the same time; those whose callers wait have their own
    /// line.
    /// </summary>
    private TimeSpan LineUp((string Key, bool IsOnline) budget, TimeSpan wait, long units, long perMinute, TimeSpan patience)
    {
        if (wait <= patience)
            return wait;
        lock (_lock)
        {
            var now = time.GetElapsedTime(_began).Ticks;
            if (_lines.Count >= MaxLines)
            {
                foreach (var passed in _lines.Where(l => l.Value <= now).Select(l => l.Key).ToList())
                    _lines.Remove(passed);
                if (_lines.Count >= MaxLines)
                    return wait;
            }

            var place = Math.Max(now + wait.Ticks, Math.Min(_lines.GetValueOrDefault(budget), now + LongestLine.Ticks));
            var cost = (double)units * TimeSpan.TicksPerMinute / perMinute;
            _lines[budget] = place + (long)Math.Min(cost / 2, LongestLine.Ticks);
            return TimeSpan.FromTicks(place - now);
        }
    }

    [LoggerMessage(LogLevel.Warning, "A budget was not corrected by {Difference}")]
    private partial void LogNotSettled(Exception fault, long difference);

    [LoggerMessage(LogLevel.Warning, "The budgets at the upstream of {Endpoint} are not known now; requests wait")]
    private partial void LogNotCharged(Exception fault, string endpoint);
}
