using Microsoft.Extensions.Logging;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Sets items aside, counts them, and reports them in the log.</summary>
internal sealed partial class QuarantineWriter(
    IQuarantineStore store, QuarantineMetrics metrics, ILogger<QuarantineWriter> logger) : IQuarantine
{
    public Task<Exception?> AddAsync(QuarantinedItem item, CancellationToken cancellationToken) =>
        TryAddAsync(
            item,
            async () =>
            {
                await store.AddAsync(item, cancellationToken);
                return true;
            },
            cancellationToken);

    /// <summary>Lists an item, together with what takes its subject out of the loop's sight.</summary>
    /// <param name="item">What is set aside.</param>
    /// <param name="park">Parks the subject and lists the item; false where there is nothing to set aside any more.</param>
    /// <param name="cancellationToken">Cancels the attempt.</param>
    /// <returns>What went wrong; null on success.</returns>
    public async Task<Exception?> TryAddAsync(QuarantinedItem item, Func<Task<bool>> park, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(item);
        try
        {
            if (await park())
            {
                metrics.Added(item.Kind);
                LogSetAside(item.Kind, item.Subject, item.Reason);
            }

            return null;
        }
#pragma warning disable CA1031 // the loop goes on; it counts the failure
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!cancellationToken.IsCancellationRequested)
                LogNotSetAside(fault, item.Kind, item.Subject, item.Reason);
            return fault;
        }
    }

    [LoggerMessage(LogLevel.Error, "Set aside {Kind} {Subject}, which cannot be processed: {Reason}")]
    private partial void LogSetAside(string kind, string subject, string reason);

    [LoggerMessage(LogLevel.Error, "Could not set aside {Kind} {Subject}, which cannot be processed ({Reason})")]
    private partial void LogNotSetAside(Exception fault, string kind, string subject, string reason);
}
