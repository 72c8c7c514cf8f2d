using System.Security.Cryptography;
using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Callbacks;

namespace TaskQueue.Scheduler.Callbacks;

/// <summary>
/// Verifies once per owner that a receiver wants callbacks: it must echo a random challenge. Until then its callbacks wait. The
/// verification is valid for <see cref="WebhookOptions.VerificationDays"/>; a failed challenge is repeated every minute.
/// </summary>
internal sealed class ReceiverVerifier(IWebhookStore receivers, ReceiverClient client, IOptions<WebhookOptions> options, TimeProvider time)
{
    private const int MaxAnswer = 1024, ChallengeBytes = 24;

    /// <summary>Poll interval while a challenge is in flight.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(2);

    private readonly WebhookOptions _options = options.Value;

    /// <summary>Interval between challenges; exceeds the duration of a challenge in flight.</summary>
    private TimeSpan Repeat => TimeSpan.FromSeconds(Math.Max(60, 2 * _options.TimeoutSeconds));

    /// <summary>Returns null if the callback may be sent.</summary>
    /// <exception cref="OperationCanceledException">The process stops.</exception>
    public async Task<CallbackTry?> CheckAsync(Callback callback, CancellationToken cancellationToken)
    {
        if (!_options.RequireVerification || CallbackRules.Check(callback.Url, _options) is not null)
            return null;
        var (owner, origin, now) = (callback.Owner ?? "", CallbackOrigin.Of(callback.Url), Micros.Now(time));
        var known = await receivers.FindAsync(owner, origin);
        if (known?.VerifiedAt > now - TimeSpan.FromDays(_options.VerificationDays))
            return null;
        if (!await receivers.TryChallengeAsync(owner, origin, now, now - Repeat))
            return Wait("its challenge is not answered yet", NextLook(await receivers.FindAsync(owner, origin), now));
        var (problem, isFinal) = await ChallengeAsync(callback, cancellationToken);
        if (problem is not null)
            return isFinal ? new CallbackTry(null, problem, Again: false) : Wait(problem, Micros.Now(time) + Repeat);
        await receivers.VerifiedAsync(owner, origin, Micros.Now(time));
        return null;
    }

    private static CallbackTry Wait(string problem, DateTime until) =>
        new(null, $"waiting until the receiver is verified: {problem}", Again: true) { WaitsUntil = until };

    private DateTime NextLook(WebhookReceiver? receiver, DateTime now)
    {
        var challengedAt = receiver?.ChallengedAt ?? now;
        return now - challengedAt <= TimeSpan.FromSeconds(_options.TimeoutSeconds) || receiver?.VerifiedAt >= challengedAt
            ? now + Soon
            : challengedAt + Repeat;
    }

    /// <returns>The problem, and whether it is permanent.</returns>
    private async Task<(string? Problem, bool IsFinal)> ChallengeAsync(Callback callback, CancellationToken cancellationToken)
    {
        var challenge = RandomNumberGenerator.GetHexString(2 * ChallengeBytes, lowercase: true);
        var body = $$"""{"type":"{{CallbackEnvelope.Verification}}","challenge":"{{challenge}}"}""";
        var envelope = new CallbackEnvelope(CallbackEnvelope.Verification, callback.Owner, challenge);
        var answer = await client.PostAsync(callback.Url, envelope, body, MaxAnswer, cancellationToken);
        return answer switch
        {
            { IsSuccess: true, Body: { } text } when IsEcho(text, challenge) => (null, false),
            { IsSuccess: true } => ("it answered the challenge without sending it back", false),
            { Status: { } status } => ($"it answered the challenge with {status}", false),
            _ => (answer.Error, !answer.MayRetry),
        };
    }

    /// <summary>
    /// Accepts only the challenge itself, as text or as the single member of an object: a server that echoes any request proves nothing.
    /// </summary>
    private static bool IsEcho(string text, string challenge)
    {
        if (text.Trim() == challenge)
            return true;
        try
        {
            using var document = JsonDocument.Parse(text);
            var root = document.RootElement;
            return root.ValueKind == JsonValueKind.String ? root.GetString() == challenge
                : root.ValueKind == JsonValueKind.Object
                    && root.EnumerateObject().ToList() is [{ Name: "challenge", Value.ValueKind: JsonValueKind.String } only]
                    && only.Value.GetString() == challenge;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
