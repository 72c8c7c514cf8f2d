using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Options;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Queues;

namespace TaskQueue.Engine.Batches;

/// <summary>A batch cannot be retried.</summary>
/// <param name="message">Why, and what to do.</param>
public sealed class BatchRetryException(string message) : Exception(message);

/// <summary>A failed item, as its line in an output or error file names it.</summary>
/// <param name="CustomId">Its own id, or null.</param>
/// <param name="Line">Its index among the non-blank lines of the input; null if it was run, because results do not tell it.</param>
internal sealed record FailedItem(string? CustomId, int? Line);

/// <summary>Makes a new batch of the failed items of one that has ended, with the same settings and window.</summary>
public sealed class BatchRetry(
    BatchService batches, IBatchQueries queries, BatchLanes lanes, FileService files, QueueCatalog queues, IOptions<EngineOptions> engine)
{
    /// <summary>A line of an output file holds an answer of at most 64 MiB and little else.</summary>
    private const int MaxResultLine = 80 * 1024 * 1024;

    /// <summary>Codes of errors that the same line would meet again, and of results that exist but cannot be read.</summary>
    private static readonly string?[] Hopeless = ["parse_error", BatchItem.TooLarge, BatchResults.Unreadable];

    /// <summary>How much longer than its window an input is kept.</summary>
    private static readonly TimeSpan Margin = TimeSpan.FromHours(1);

    private static readonly byte[] LineEnd = "\n"u8.ToArray();

    /// <summary>Answers may have any depth.</summary>
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>Creates the new batch.</summary>
    /// <param name="batch">The batch that has ended.</param>
    /// <param name="submitter">Name of the caller.</param>
    /// <param name="requestKey">See <see cref="BatchState.RequestKey"/>.</param>
    /// <param name="cancellationToken">Cancels the reads.</param>
    /// <exception cref="BatchRetryException">
    /// It has not ended, has no failed items, its failed items cannot be told from others, or its files or queue are gone.
    /// </exception>
    /// <exception cref="QuotaExceededException">The owner's quota for file bytes is exhausted.</exception>
    public async Task<BatchState> CreateAsync(BatchState batch, string? submitter, string? requestKey, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (requestKey is not null && await queries.FindByRequestAsync(requestKey, cancellationToken) is { } known)
            return known; // before anything is copied
        if (!BatchStates.IsTerminal(batch.State))
            throw new BatchRetryException("the batch has not ended: wait until it has, or cancel it");
        var queue = await queues.LookUpAsync(batch.Queue) ?? throw new BatchRetryException($"its queue {batch.Queue} is gone: register it");
        var failed = await FailedAsync(batch, cancellationToken);
        if (failed.IsEmpty)
            throw new BatchRetryException("the batch has no failed item that could be run again");
        var input = await CopyAsync(batch, failed, cancellationToken);
        BatchState? created = null;
        try
        {
            var tier = await lanes.ChooseAsync(queue.Name, batch.Owner, cancellationToken); // others may be in its former lane now
            return created = await batches.CreateAsync(
                new NewBatch(queue, tier, batch.Endpoint, input.Id, batch.CompletionWindow, WindowOf(batch), batch.Strict)
                {
                    Owner = batch.Owner, Submitter = submitter, Metadata = batch.Metadata, CallbackUrl = batch.CallbackUrl,
                    OutputExpiresAfter = batch.OutputExpiresAfter, Deduplicate = batch.Deduplicate, RetryOf = batch.CorrelationId,
                    RequestKey = requestKey,
                });
        }
        finally
        {
            // The same request was faster, or it failed; but a batch whose commit was not confirmed needs its input.
            if (created is null ? !await IsUsedAsync(input, batch) : created.InputFileId != input.Id)
                await files.DeleteAsync(input.Id, Access.All);
        }
    }

    /// <summary>The input of a retry must not expire before its batch ends.</summary>
    internal static TimeSpan? KeepOf(BatchState batch)
    {
        if (batch.OutputExpiresAfter is not { } seconds)
            return null;
        var (asked, least) = (TimeSpan.FromSeconds(seconds), WindowOf(batch) + Margin);
        return asked > least ? asked : least;
    }

    private static TimeSpan WindowOf(BatchState batch) => batch.DeadlineAt - batch.CreatedAt;

    private async Task<bool> IsUsedAsync(FileRecord input, BatchState retried)
    {
        var since = input.CreatedAt.AddDays(-1); // clocks of processes differ
        return await queries.FindTwinAsync(input.Id, retried.Endpoint, since, Access.All, CancellationToken.None) is not null;
    }

    /// <summary>The items without a successful result.</summary>
    private async Task<FailedItems> FailedAsync(BatchState batch, CancellationToken cancellationToken)
    {
        var failed = new FailedItems();
        foreach (var id in new[] { batch.OutputFileId, batch.ErrorFileId }.OfType<string>())
        {
            await using var content = await BatchInput.OpenAsync(files, id, cancellationToken)
                ?? throw new BatchRetryException($"its file {id} was deleted: what failed is not known");
            await foreach (var line in BatchInput.ReadAsync(content, 0, MaxResultLine, cancellationToken))
            {
                if (line.Text is not null && FailedOf(line.Text) is { } item)
                    failed.Add(item);
            }
        }

        return failed;
    }

    /// <summary>The item of an output line, if it failed and may succeed if it is run again.</summary>
    internal static FailedItem? FailedOf(byte[] line)
    {
        using var document = JsonDocument.Parse(line, AnyDepth);
        var root = document.RootElement;
        var error = root.GetProperty("error");
        var isFailed = error.ValueKind == JsonValueKind.Object
            ? !Hopeless.Contains(TextRules.Read(error, "code"))
            : root.GetProperty("response").TryGetProperty("status_code", out var status) && status.TryGetInt32(out var code)
                && code is < 200 or > 299;
        if (!isFailed)
            return null;
        var text = TextRules.Read(root, "customId");
        int? index = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var at) ? at : null;
        return new FailedItem(TextRules.Read(root, "custom_id"), index);
    }

    /// <summary>Copies the lines of these items into a new input.</summary>
    private async Task<FileRecord> CopyAsync(BatchState batch, FailedItems failed, CancellationToken cancellationToken)
    {
        await using var input = await BatchInput.OpenAsync(files, batch.InputFileId, cancellationToken)
            ?? throw new BatchRetryException($"its input {batch.InputFileId} was deleted: upload the requests again");
        var most = engine.Value.LargestBatchItem();
        var name = $"retry_{Ids.BatchId.Format(batch.CorrelationId)}.jsonl";
        await using var copy = await files.OpenUploadAsync(batch.Owner, "batch", name, long.MaxValue);
        var index = 0;
        await foreach (var line in BatchInput.ReadAsync(input, 0, most, cancellationToken))
        {
            var at = index++;
            if (line.Text is null || !failed.Take(at, BatchItem.Parse(line.Text, batch, most)))
                continue;
            await copy.Stream.WriteAsync(line.Text, cancellationToken);
            await copy.Stream.WriteAsync(LineEnd, cancellationToken);
        }

        failed.DemandExact(); // else the copy is dropped
        return await copy.CommitAsync(keep: KeepOf(batch));
    }

    /// <summary>Finds the lines of failed items in the input.</summary>
    private sealed class FailedItems
    {
        private const string Advice = "; submit the lines that failed as a new batch, each with its own custom_id";

        private readonly HashSet<int> _lines = [];
        private readonly Dictionary<string, int> _left = new(StringComparer.Ordinal); // items that were run, by id

        public bool IsEmpty => _lines.Count == 0 && _left.Count == 0;

        /// <exception cref="BatchRetryException">Nothing tells which line it is.</exception>
        public void Add(FailedItem item)
        {
            if (item.Line is { } line)
                _lines.Add(line);
            else if (item.CustomId is { } id)
                _left[id] = _left.GetValueOrDefault(id) + 1;
            else
                throw new BatchRetryException($"a failed line has no custom_id, so it is not known which one it is{Advice}");
        }

        /// <summary>Whether a line of the input is one of them.</summary>
        public bool Take(int index, BatchItem item)
        {
            if (_lines.Contains(index))
                return true;
            if (item is not { CustomId: { } id, Problem: null } || !_left.TryGetValue(id, out var left))
                return false;
            _left[id] = left - 1;
            return true;
        }

        /// <exception cref="BatchRetryException">More lines were taken for an id than failed.</exception>
        public void DemandExact()
        {
            if (_left.FirstOrDefault(l => l.Value < 0).Key is { } id)
                throw new BatchRetryException($"several lines have the custom_id {id}, and not all of them failed{Advice}");
        }
    }
}
