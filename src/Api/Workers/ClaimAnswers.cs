using Grpc.Core;
using Microsoft.Extensions.Options;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using Wire = TaskQueue.Rpc.V1;

namespace TaskQueue.Api.Workers;

/// <summary>
/// Sends the answers of a claim, at the minimum pace of responses. A worker that does not read loses its claim: its tasks would take up
/// memory until it does.
/// </summary>
internal sealed class ClaimAnswers(HttpContext context, IServerStreamWriter<Wire.ClaimAnswer> answers, TimeProvider time)
{
    /// <summary>Longest time to send an empty message.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <summary>Longest time to send any message, in seconds.</summary>
    private const double Longest = 86_400;

    private readonly CancellationToken _left = context.RequestAborted;
    private readonly long _bytesPerSecond =
        context.RequestServices.GetRequiredService<IOptionsMonitor<LimitOptions>>().CurrentValue.MinResponseBytesPerSecond;

    /// <exception cref="ApiException">408: the worker reads too slowly.</exception>
    public async Task WriteAsync(Wire.ClaimAnswer answer, int size)
    {
        var longest = _bytesPerSecond > 0 ? Patience + TimeSpan.FromSeconds(Math.Min((double)size / _bytesPerSecond, Longest))
            : Timeout.InfiniteTimeSpan;
        using var late = new CancellationTokenSource(longest, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_left, late.Token);
        try
        {
            await answers.WriteAsync(answer, either.Token);
        }
        catch (Exception) when (late.IsCancellationRequested)
        {
            context.Abort(); // what is left of the message is not kept for it
            throw new ApiException(408, "too_slow", $"the answers are read too slowly: read at least {_bytesPerSecond} bytes a second");
        }
    }
}
