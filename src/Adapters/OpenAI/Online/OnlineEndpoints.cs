using TaskQueue.Engine.Auth;
using TaskQueue.Http.Auth;
using TaskQueue.Http.Errors;

namespace TaskQueue.Adapters.OpenAI.Online;

/// <summary>
/// OpenAI's endpoints that a caller waits for. Each request is a task of tier 0 in the queue of its model, so that queues, limits,
/// upstreams and workers are the same as those of batches, and the caller goes first.
/// </summary>
internal static class OnlineEndpoints
{
    private static readonly (string Path, string Summary)[] Served =
    [
        ("/v1/chat/completions", "Complete a chat"), ("/v1/completions", "Complete a text"), ("/v1/responses", "Create a response"),
        ("/v1/embeddings", "Create embeddings"), ("/v1/moderations", "Classify a text"),
        ("/v1/images/generations", "Create an image"),
    ];

    public static IServiceCollection AddOnline(this IServiceCollection services) =>
        services.AddSingleton<OnlineRequests>().AddSingleton<OnlineAnswers>();

    public static void MapOnline(this WebApplication app)
    {
        var online = app.MapGroup("").WithTags("openai")
            .AnswerFaults(OpenAIErrors.Batch(app.Services.GetRequiredService<TimeProvider>())).WithMetadata(OpenAIErrors.NoCache)
            .Needs(Scope.Enqueue).ForKeysOnly();
        foreach (var (path, summary) in Served)
        {
            online.MapPost(path, (HttpContext context, OnlineRequests requests) => requests.RunAsync(path, context)).MayWait()
                .Produces(200, contentType: "application/json").Produces<BatchError>(400).Produces<BatchError>(404)
                .Produces<BatchError>(429).Produces<BatchError>(503)
                .WithSummary($"{summary}: OpenAI's request is passed to the queue of its model, and the answer is that of its worker or "
                    + "upstream, as server-sent events if stream is true.");
        }
    }
}
