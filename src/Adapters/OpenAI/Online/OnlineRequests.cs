using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.Extensions.Options;
using TaskQueue.Engine;
using TaskQueue.Engine.Ids;
using TaskQueue.Engine.Queues;
using TaskQueue.Engine.Quotas;
using TaskQueue.Engine.Replies;
using TaskQueue.Engine.Tasks;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;
using TaskQueue.Http.Json;
using TaskQueue.Http.Requests;

namespace TaskQueue.Adapters.OpenAI.Online;

/// <summary>Accepts requests whose callers wait, and answers them when their tasks have ended.</summary>
internal sealed class OnlineRequests(
    QueueRouter router, TaskService tasks, CompletionRouter completions, OnlineAnswers answers, NumberedTaskIds ids, StreamQuota streams,
    ReplyAddress self, IOptions<EngineOptions> options, TimeProvider time)
{
    /// <summary>Longest wait of a caller, as OpenAI's SDKs have it.</summary>
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(10);

    /// <exception cref="ApiException">400, 404, 429 or 503.</exception>
    public async Task<IResult> RunAsync(string path, HttpContext context)
    {
        var (request, isStream) = await ReadAsync(path, context);
        while (true)
        {
            var id = ids.New(request.Queue.Id, tier: 0, isStream ? NumberedTaskMode.Streaming : NumberedTaskMode.Blocking);
            using var counted = streams.Open(context.Access().Tenant);
            using var caller = completions.Open(id.ToGuid(), wantsProgress: isStream)
                ?? throw new ApiException(503, "too_many_callers", $"{CompletionRouter.MaxCallers} callers are already waiting; try again");
            if (!await TryAcceptAsync(request, id, isStream, context))
            {
                ids.DrawInstance(); // another process generated the same id
                continue;
            }

            caller.Accepted();
            context.Response.Headers["x-request-id"] = id.ToString(); // SDKs show it with answers and errors
            request = request with { Payload = "" }; // a waiting caller holds no payload
            context.Memory().ReleaseBody();
            if (context.Features.Get<IStatusCodePagesFeature>() is { } pages)
                pages.Enabled = false; // the status is the worker's
            return isStream ? await answers.StreamAsync(caller, Longest, context) : await answers.BlockAsync(caller, Longest, context);
        }
    }

    private async Task<(Accepted Request, bool IsStream)> ReadAsync(string path, HttpContext context)
    {
        using var body = await RequestJson.ReadDocumentAsync(context, BodyLimits.One(options.Value));
        var root = body.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
            throw OpenAIErrors.Invalid("the body must be a JSON object");
        if (TextRules.Read(root, "model") is not { Length: > 0 } model)
            throw OpenAIErrors.Invalid("model is missing", "model");
        var queue = await router.FindAsync(path, model)
            ?? throw new ApiException(404, "model_not_found",
                $"there is no queue for model {model} at {path}; GET /v1/models lists the models",
                new Dictionary<string, string> { ["param"] = "model" });
        context.Demand(queue.Name);
        var isStream = root.TryGetProperty("stream", out var stream) && stream.ValueKind == JsonValueKind.True;
        return (new Accepted(queue, path, root.GetRawText()), isStream);
    }

    /// <returns>False if another process generated the same id.</returns>
    private async Task<bool> TryAcceptAsync(Accepted request, NumberedTaskId id, bool isStream, HttpContext context)
    {
        var caller = context.Caller();
        var headers = new OnlineHeaders(isStream ? "streaming" : "blocking", self.Name, caller.Name);
        var submission = new TaskSubmission(id.ToGuid(), request.Queue.Name, request.Payload)
        {
            Tier = 0,
            Owner = caller.Tenant,
            Name = request.Path,
            ExpiresAt = (time.GetUtcNow() + Longest).UtcDateTime,
            MaxAttempts = 1,
            Headers = JsonSerializer.Serialize(headers, OnlineJson.Instance.OnlineHeaders),
            CompletionActions = new CompletionActions { ReplyTo = self.Name, LeaseExpiryResult = id.LeaseExpiryResult },
        };
        try
        {
            return await tasks.SubmitAsync(submission) is { Result: SubmitStatus.Accepted };
        }
        catch (TaskIdConflictException)
        {
            return false;
        }
    }

    private sealed record Accepted(QueueRecord Queue, string Path, string Payload);
}

/// <summary>Headers of the task, in the names in which workers of bella's API take them.</summary>
internal sealed record OnlineHeaders(string ResponseMode, string InstanceId, string? Submitter);

[JsonSerializable(typeof(OnlineHeaders))]
internal sealed partial class OnlineJson : JsonSerializerContext
{
    /// <summary>The context with the style of all APIs.</summary>
    public static OnlineJson Instance { get; } =
        new(new JsonSerializerOptions(JsonStyle.Options) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull });
}
