using Microsoft.Extensions.Logging;

namespace TaskQueue.Engine.Quarantine;

/// <summary>Quarantines items, counts them and logs them.</summary>
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

    /// <summary>Lists an item and parks its subject, so that the loop no longer selects it.</summary>
    /// <param name="item">The item.</param>
    /// <param name="park">Parks the subject and lists the item; false if there is nothing left to quarantine.</param>
    /// <param name="cancellationToken">Cancels the attempt.</param>
    /// <returns>The exception; null on success.</returns>
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
#pragma warning disable CA1031 // the loop continues and counts the failure
        catch (Exception fault)
#pragma warning restore CA1031
        {
            if (!cancellationToken.IsCancellationRequested)
                LogNotSetAside(fault, item.Kind, item.Subject, item.Reason);
            return fault;
        }
    }

    [LoggerMessage(LogLevel.Error, "Quarantined {Kind} {Subject}, which cannot be processed: {Reason}")]
    private partial void LogSetAside(string kind, string subject, string reason);

    [LoggerMessage(LogLevel.Error, "Cannot quarantine {Kind} {Subject}, which cannot be processed ({Reason})")]
    private partial void LogNotSetAside(Exception fault, string kind, string subject, string reason);
}
