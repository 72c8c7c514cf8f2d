using Hangfire;

namespace TaskQueue.Client;

/// <summary>The token of an attempt as jobs of Hangfire expect it: cancelled when the outcome no longer counts.</summary>
internal sealed class JobToken(CancellationToken cancellationToken) : IJobCancellationToken
{
    public CancellationToken ShutdownToken => cancellationToken;

    public void ThrowIfCancellationRequested() => cancellationToken.ThrowIfCancellationRequested();
}
