using System.Text;

namespace TaskQueue.Bench.Load;

/// <summary>Request bodies.</summary>
internal static class Bodies
{
    /// <summary>The pull queue of the scenarios.</summary>
    public const string PullQueue = "bench";

    private const string Members =
        """
        "action":"noop","data":{"text":"hello worldhello worldhello worldhello world"}
        """;

    /// <summary>A task for the default queue; also the payload of the references.</summary>
    public static string Plain { get; } = $"{{{Members}}}";

    /// <summary>Body of POST /tasks.</summary>
    public static string One(string queue, DateTimeOffset? scheduledAt = null) =>
        scheduledAt is { } at ? One(queue, "scheduled_at", $"{at:O}") : $$"""{{{Members}},"queue":"{{queue}}"}""";

    /// <summary>Body of POST /tasks with one more string member.</summary>
    public static string One(string queue, string member, string text) => $$"""{{{Members}},"queue":"{{queue}}","{{member}}":"{{text}}"}""";

    /// <summary>Body of POST /tasks/bulk.</summary>
    public static string Many(string queue, int count) => Many(Enumerable.Repeat(One(queue), count));

    /// <summary>Body of POST /tasks/bulk.</summary>
    public static string Many(IEnumerable<string> tasks) => $$"""{"tasks":[{{string.Join(',', tasks)}}]}""";

    /// <summary>A JSON body for <see cref="HttpClient"/>.</summary>
    public static StringContent Json(string body) => new(body, Encoding.UTF8, "application/json");
}
