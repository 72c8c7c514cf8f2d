using System.Net.Http.Json;
using System.Text;
using System.Text.Json;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A call that the load repeats.</summary>
/// <param name="Name">For messages.</param>
/// <param name="Request">Creates the request.</param>
/// <param name="Refused">Whether the body of a refusal has the API's format.</param>
/// <param name="Accepted">Ids of the accepted tasks in the response.</param>
/// <param name="Says">The status of a refusal; a 503 has Retry-After.</param>
internal sealed record OutageApi(string Name, Func<HttpRequestMessage> Request, Func<JsonElement, bool> Refused,
    Func<JsonElement, IEnumerable<Guid>> Accepted, int Says = 503)
{
    public const string Pulled = "pulled", Bella = "bella-out", Moab = "Moab_out";

    /// <summary>Queues served by a pull worker.</summary>
    public static readonly string[] PulledQueues = [Pulled, Bella, $"{Bella}:1", Moab];

    /// <summary>At least one call of each API.</summary>
    public static IReadOnlyList<OutageApi> All { get; } =
    [
        new("tasks", () => Post("/tasks", new { action = "uppercase", data = new { text = "outage" } }),
            b => b.TryGetProperty("error", out _), b => [b.GetProperty("id").GetGuid()]),
        new("tasks, in order", () => Post("/tasks", new { action = "x", queue = Pulled, ordering_key = "t" }),
            b => b.TryGetProperty("error", out _), b => [b.GetProperty("id").GetGuid()]),
        new("bulk", () => Post("/tasks/bulk", new { tasks = Enumerable.Repeat(new { action = "x", queue = Pulled }, 5) }), IsProblem, b =>
            b.GetProperty("ids").EnumerateArray().Select(i => i.GetGuid())),
        new("list", () => new(HttpMethod.Get, "/tasks?status=pending"), b => b.TryGetProperty("error", out _), _ => [], Says: 500),
        new("bella",
            () => Post("/v1/queue/put", new { queue = Bella, endpoint = "/v1/x", level = 1, data = new { k = "v" } }), IsBella, _ => []),
        new("moab",
            () => Post("/moab/Enqueue", new
            {
                queue_name = Moab,
                entries = new[]
                {
                    new { payload = "{}", retry_strategy = new { retry_intervals_in_seconds = Enumerable.Repeat(1, 4) } },
                },
            }),
            b => b.GetProperty("code").GetString() == "UNAVAILABLE", _ => []),
        new("agent", () => Post("/agent/process-async", new { query = "still there?" }), b => b.TryGetProperty("detail", out _), _ => []),
        new("files", Upload, IsOpenAI, _ => []),
        new("batches", () => new(HttpMethod.Get, "/v1/batches?limit=1"), IsBella, _ => []),
    ];

    public static bool IsProblem(JsonElement body) => body.TryGetProperty("code", out _) && body.GetProperty("status").GetInt32() == 503;

    public static HttpRequestMessage Post(string path, object body) => new(HttpMethod.Post, path) { Content = JsonContent.Create(body) };

    private static bool IsBella(JsonElement body) => body.GetProperty("code").GetInt32() == 503 && IsOpenAI(body);

    private static bool IsOpenAI(JsonElement body) =>
        body.GetProperty("error").TryGetProperty("message", out _) && body.GetProperty("error").TryGetProperty("type", out _);

    private static HttpRequestMessage Upload() => new(HttpMethod.Post, "/v1/files")
    {
        Content = new MultipartFormDataContent { { new StringContent("batch"), "purpose" },
            { new ByteArrayContent(Encoding.UTF8.GetBytes("{}\n")), "file", $"{Guid.NewGuid():N}.jsonl" } },
    };
}
