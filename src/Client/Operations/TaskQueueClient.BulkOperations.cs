using System.Runtime.CompilerServices;
using TaskQueue.Client.Http;

namespace TaskQueue.Client;

/// <summary>Operations on many tasks.</summary>
public sealed partial class TaskQueueClient
{
    /// <summary>Starts an operation on many tasks, which the server carries out in the background. Sent once, without retries.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<BulkOperation> StartOperationAsync(NewBulkOperation operation, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operation);
        return await _clients.Connect().SendAsync(HttpMethod.Post, "/operations", BodyOf(operation, dryRun: null),
            BulkOperationJson.Default.BulkOperationBody, BulkOperationJson.Default.BulkOperation, cancellationToken);
    }

    /// <summary>Counts the tasks that an operation would change now, and changes nothing.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<BulkOperationPreview> PreviewOperationAsync(
        NewBulkOperation operation, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(operation);
        var body = BodyOf(operation, dryRun: true);
        return await TryAsync(
            (server, _) => server.SendAsync(HttpMethod.Post, "/operations", body, BulkOperationJson.Default.BulkOperationBody,
                BulkOperationJson.Default.BulkOperationPreview, cancellationToken),
            cancellationToken);
    }

    /// <summary>Lists operations, newest first.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async IAsyncEnumerable<BulkOperation> OperationsAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        for (string? cursor = ""; cursor is not null;)
        {
            var path = $"/operations?limit=200{(cursor.Length == 0 ? "" : $"&cursor={Uri.EscapeDataString(cursor)}")}";
            var page = await TryAsync((server, _) => server.SendAsync(
                HttpMethod.Get, path, null, BulkOperationJson.Default.BulkOperationListAnswer, cancellationToken), cancellationToken);
            foreach (var operation in page.Operations)
                yield return operation;
            cursor = page.NextCursor;
        }
    }

    /// <summary>Gets an operation; null if it does not exist for this key.</summary>
    /// <exception cref="TaskQueueException">The server refused, or did not answer.</exception>
    public async Task<BulkOperation?> GetOperationAsync(Guid id, CancellationToken cancellationToken = default)
    {
        try
        {
            return await TryAsync((server, _) => server.SendAsync(
                HttpMethod.Get, $"/operations/{id}", null, BulkOperationJson.Default.BulkOperation, cancellationToken), cancellationToken);
        }
        catch (TaskQueueException fault) when (fault.Status == 404)
        {
            return null;
        }
    }

    /// <summary>Pauses, resumes, cancels or undoes an operation. Sent once, without retries.</summary>
    /// <exception cref="TaskQueueException">There is no such operation (404), its state does not permit it (409), or the server did not
    /// answer.</exception>
    public async Task<BulkOperation> DecideOperationAsync(
        Guid id, BulkOperationDecision decision, CancellationToken cancellationToken = default) =>
        await _clients.Connect().SendAsync(HttpMethod.Post, $"/operations/{id}/{decision.ToString().ToLowerInvariant()}", null,
            BulkOperationJson.Default.BulkOperation, cancellationToken);

    private static BulkOperationBody BodyOf(NewBulkOperation operation, bool? dryRun)
    {
        IReadOnlyDictionary<string, IReadOnlyList<string>>? search = operation.Search is { } wanted
            ? Filters(wanted).GroupBy(f => f.Name).ToDictionary(g => g.Key, g => (IReadOnlyList<string>)[.. g.Select(f => f.Value)])
            : null;
        return new BulkOperationBody(operation.Action.ToString().ToLowerInvariant(),
            new BulkSelectionBody(operation.Ids.Count > 0 ? operation.Ids : null, search), operation.TargetQueue, operation.Patch,
            operation.RatePerSecond, dryRun);
    }
}
