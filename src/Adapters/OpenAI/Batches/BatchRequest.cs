using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Batches;
using TaskQueue.Engine.Callbacks;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Queues;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.OpenAI.Batches;

/// <summary>Validates a batch request and finds its queue (bella.md 10.1, 12).</summary>
internal sealed partial class BatchRequest(
    FileService files, QueueCatalog queues, QueueRouter router, BatchLanes lanes, IOptions<BatchLimits> limits,
    IOptions<WebhookOptions> webhooks, IOptions<EngineOptions> engine)
{
    private const string QueueHeader = "X-BELLA-QUEUE-NAME", DefaultWindow = "24h", Callback = "callback_url", Window = "completion_window";
    private const int MaxPairs = 16, MaxKey = 64, MaxValue = 512, MaxEndpoint = 64;
    private static readonly TimeSpan Shortest = TimeSpan.FromMinutes(1), Longest = TimeSpan.FromDays(30);

    /// <exception cref="ApiException">400 or 404.</exception>
    public async Task<NewBatch> ReadAsync(HttpContext context, BatchBody body)
    {
        var (access, strict) = (context.Access(), context.DialectOf() == Dialect.OpenAI);
        if (string.IsNullOrWhiteSpace(body.InputFileId))
            throw OpenAIErrors.Invalid("input_file_id is missing", "input_file_id");
        if (body.Endpoint is not { Length: > 1 and <= MaxEndpoint } endpoint || endpoint[0] != '/'
            || endpoint.Contains('\0', StringComparison.Ordinal))
            throw OpenAIErrors.Invalid(
                $"endpoint must begin with '/', such as /v1/chat/completions, and have at most {MaxEndpoint} characters");
        var callback = Check(body.Metadata) ?? limits.Value.CallbackUrl;
        if (callback is not null && CallbackRules.Check(callback, webhooks.Value) is { } problem)
            throw OpenAIErrors.Invalid(problem);
        var file = await FindFileAsync(body.InputFileId, access, strict, context.RequestAborted);
        var queue = await FindQueueAsync(context, file, endpoint);
        context.Demand(queue.Name);
        var (shown, window) = WindowOf(body.CompletionWindow, strict);
        var tier = await lanes.ChooseAsync(queue.Name, access.Tenant, context.RequestAborted);
        return new NewBatch(queue, tier, endpoint, file.Id, shown, window, strict)
        {
            Owner = access.Tenant,
            Submitter = context.Caller().Name,
            Metadata = body.Metadata is null ? null
                : JsonSerializer.Serialize(body.Metadata.ToDictionary(p => p.Key, p => p.Value!),
                    BatchJson.Instance.DictionaryStringString),
            CallbackUrl = callback,
            OutputExpiresAfter = body.OutputExpiresAfter?.Read("output_expires_after"),
            Deduplicate = body.Deduplicate == true,
            RequestKey = context.IdempotencyKey(),
        };
    }

    private async Task<FileRecord> FindFileAsync(string id, Access access, bool strict, CancellationToken cancellationToken)
    {
        var file = await files.FindAsync(id, access, cancellationToken)
            ?? throw new ApiException(404, "not_found", $"there is no file {id}");
        if (strict && file.Purpose != "batch")
            throw OpenAIErrors.Invalid($"file {id} was uploaded for {file.Purpose}; upload it with purpose batch");
        return file.Bytes <= limits.Value.MaxBytes ? file
            : throw OpenAIErrors.Invalid($"file {id} has {file.Bytes} bytes; a batch may have {limits.Value.MaxBytes}");
    }

    private async Task<QueueRecord> FindQueueAsync(HttpContext context, FileRecord file, string endpoint)
    {
        if (context.Request.Headers[QueueHeader].FirstOrDefault() is { Length: > 0 } name)
        {
            var named = (QueueNames.IsValid(name) ? await queues.LookUpAsync(name) : null)
                ?? throw new ApiException(404, "not_found", $"queue {name} is not registered");
            return named.Delivery == Delivery.Pull ? named
                : throw OpenAIErrors.Invalid($"queue {name} is dispatched to bus workers and takes no batches");
        }

        var model = await ModelAsync(file, context);
        return await router.FindAsync(endpoint, model)
            ?? throw OpenAIErrors.Invalid(
                $"there is no queue for model {model ?? "(none)"} at {endpoint}: name one with {QueueHeader}, "
                + "or configure TaskQueue:Routing");
    }

    /// <summary>The model of the first line, if readable. Its memory is reserved: a line may be large.</summary>
    private async Task<string?> ModelAsync(FileRecord file, HttpContext context)
    {
        var (probe, most) = (new BatchState(), engine.Value.LargestBatchItem());
        await using var content = await files.OpenReadAsync(file, context.RequestAborted);
        var length = await FirstLine.MeasureAsync(content, most, context.RequestAborted);
        await context.Memory().ReserveAnswerAsync(FirstLine.Copies * length / 3, 1, context.RequestAborted);
        await foreach (var line in BatchInput.ReadAsync(content, 0, most, context.RequestAborted))
            return BatchItem.Parse(line.Text, probe, most).Model;
        return null;
    }

    /// <returns>The callback URL, if any.</returns>
    private static string? Check(IReadOnlyDictionary<string, string?>? metadata)
    {
        if (metadata is null)
            return null;
        if (metadata.Count > MaxPairs || metadata.Any(p => p.Key.Length > MaxKey || p.Value is not { Length: <= MaxValue }))
            throw OpenAIErrors.Invalid(
                $"metadata must have at most {MaxPairs} pairs of text, keys of at most {MaxKey} "
                + $"and values of at most {MaxValue} characters");
        if (metadata.Any(p => p.Key.Contains('\0', StringComparison.Ordinal) || p.Value!.Contains('\0', StringComparison.Ordinal)))
            throw OpenAIErrors.Invalid("metadata must not contain the character U+0000");
        if (metadata.GetValueOrDefault(BatchRenderer.Choice) is { } choice and not (BatchRenderer.Event or BatchRenderer.Batch))
            throw OpenAIErrors.Invalid(
                $"metadata.{BatchRenderer.Choice} must be {BatchRenderer.Event} or {BatchRenderer.Batch}, not {choice}", "metadata");
        return metadata.GetValueOrDefault(Callback);
    }

    /// <summary>Parses a window; in Bella's dialect unreadable text means 24h.</summary>
    private static (string Shown, TimeSpan Window) WindowOf(string? text, bool strict)
    {
        if (text is null || text.Length > 8 || WindowPattern().Match(text) is not { Success: true } match
            || !int.TryParse(match.Groups["number"].Value, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return text is null || !strict ? (DefaultWindow, TimeSpan.FromHours(24))
                : throw OpenAIErrors.Invalid("completion_window must be a number and m, h or d, such as 24h", Window);
        }

        var window = match.Groups["unit"].Value switch
        {
            "m" => TimeSpan.FromMinutes(number),
            "h" => TimeSpan.FromHours(number),
            _ => TimeSpan.FromDays(number),
        };
        return window >= Shortest && window <= Longest ? (text, window)
            : throw OpenAIErrors.Invalid("completion_window must be 1m to 30d", Window);
    }

    [GeneratedRegex(@"\A(?<number>[0-9]+)(?<unit>[mhd])\z", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex WindowPattern();
}
