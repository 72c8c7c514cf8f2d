using System.Text;
using System.Text.Json;
using Shouldly;
using TaskQueue.Tests.Servers;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A completely read response.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="ContentType">Media type, or null.</param>
/// <param name="Text">The body.</param>
public sealed record Reply(int Status, string? ContentType, string Text)
{
    /// <summary>The body as JSON.</summary>
    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Text);
}

/// <summary>Speaks HTTP like a client without an SDK.</summary>
public static class TestHttp
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>A body: text unchanged, or an object as JSON.</summary>
    public static Task<Reply> PostAsync(this HttpClient http, string path, object body) => http.SendAsync(HttpMethod.Post, path, body);

    public static Task<Reply> RemoveAsync(this HttpClient http, string path) => http.SendAsync(HttpMethod.Delete, path, "");

    public static Task<Reply> PutAsync(this HttpClient http, string path, object body) => http.SendAsync(HttpMethod.Put, path, body);

    public static async Task<Reply> ReadAsync(this HttpClient http, string path)
    {
        using var response = await http.GetAsync(path);
        return await ReadAsync(response);
    }

    public static async Task<Reply> SendAsync(this HttpClient http, HttpMethod method, string path, object body)
    {
        using HttpContent content = body switch
        {
            HttpContent ready => ready,
            byte[] bytes => new ByteArrayContent(bytes),
            string text => new StringContent(text, Encoding.UTF8, "application/json"),
            _ => new StringContent(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json"),
        };
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var response = await http.SendAsync(request);
        return await ReadAsync(response);
    }

    /// <summary>Submits a task and returns its id.</summary>
    public static async Task<Guid> SubmitAsync(this HttpClient http, object body)
    {
        var reply = await http.PostAsync("/tasks", body);
        return reply.Status == 202 ? reply.Json.GetProperty("id").GetGuid()
            : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    /// <summary>Submits many tasks in one request.</summary>
    public static async Task<List<Guid>> SubmitManyAsync(this HttpClient http, IEnumerable<object> tasks)
    {
        var reply = await http.PostAsync("/tasks/bulk", new { tasks });
        return reply.Status == 202
            ? [.. reply.Json.GetProperty("ids").EnumerateArray().Select(id => id.GetGuid())]
            : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    public static async Task<JsonElement> TaskAsync(this HttpClient http, Guid id)
    {
        var reply = await http.ReadAsync($"/tasks/{id}");
        return reply.Status == 200 ? reply.Json : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    /// <summary>Waits until a task has a status, and returns it.</summary>
    public static async Task<JsonElement> TaskAsync(this HttpClient http, Guid id, string status)
    {
        JsonElement task = default;
        await Eventually.UntilAsync(
            async () => (task = await http.TaskAsync(id)).GetProperty("status").GetString() == status, Patience, $"task {id} is {status}");
        return task;
    }

    /// <summary>Waits until heartbeats have kept a running task for longer than a lease that began with the call.</summary>
    /// <param name="http">The server.</param>
    /// <param name="id">The task.</param>
    /// <param name="lease">Its lease.</param>
    /// <param name="also">What must hold besides for the ends of its lease that were seen, one for each heartbeat; null: nothing.</param>
    public static async Task OutlivesLeaseAsync(
        this HttpClient http, Guid id, TimeSpan lease, Func<IReadOnlyList<DateTimeOffset>, bool>? also = null)
    {
        var ends = new List<DateTimeOffset>();
        await Eventually.UntilAsync(
            async () =>
            {
                var task = await http.TaskAsync(id);
                task.Text("status").ShouldBe("running");
                var end = task.GetProperty("lease_until").GetDateTimeOffset();
                if (ends.Count == 0 || ends[^1] != end)
                    ends.Add(end);
                return end - ends[0] > lease && also?.Invoke(ends) != false;
            },
            TimeSpan.FromSeconds(60), $"the lease of task {id} is renewed as expected");
    }

    /// <summary>Claims tasks of a queue.</summary>
    public static async Task<List<JsonElement>> ClaimAsync(
        this HttpClient http, string queue, int max = 1, double? lease_seconds = 15, double wait_seconds = 0, string worker = "w")
    {
        var reply = await http.PostAsync("/workers/claim", new { queues = new[] { queue }, worker, max, lease_seconds, wait_seconds });
        return reply.Status == 200 ? [.. reply.Json.GetProperty("tasks").EnumerateArray()]
            : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    /// <summary>Reports or renews attempts and returns the code of each.</summary>
    public static async Task<List<string>> TellAsync(this HttpClient http, string verb, params object[] tasks)
    {
        var reply = await http.PostAsync($"/workers/{verb}", new { tasks });
        return reply.Status == 200
            ? [.. reply.Json.GetProperty("tasks").EnumerateArray().Select(t => t.GetProperty("code").GetString()!)]
            : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
    }

    /// <summary>The callback of a task, or null.</summary>
    public static async Task<JsonElement?> CallbackAsync(this HttpClient http, Guid id)
    {
        var reply = await http.ReadAsync($"/tasks/{id}/callbacks");
        var callbacks = reply.Status == 200 ? reply.Json.GetProperty("callbacks")
            : throw new InvalidOperationException($"{reply.Status}: {reply.Text}");
        return callbacks.GetArrayLength() == 0 ? null : callbacks[0];
    }

    /// <summary>Waits until the callback of a task is as expected, and returns it.</summary>
    public static async Task<JsonElement> CallbackAsync(this HttpClient http, Guid id, Func<JsonElement, bool> expected)
    {
        JsonElement? callback = null;
        await Eventually.UntilAsync(
            async () => (callback = await http.CallbackAsync(id)) is { } c && expected(c),
            TimeSpan.FromSeconds(40), $"the callback of task {id} is as expected");
        return callback!.Value;
    }

    public static Guid Id(this JsonElement task) => task.GetProperty("id").GetGuid();

    public static string? Text(this JsonElement element, string name) => element.GetProperty(name).GetString();

    public static int Whole(this JsonElement element, string name) => element.GetProperty(name).GetInt32();

    /// <summary>The names of an object's members, in order.</summary>
    public static string[] Names(this JsonElement element) => [.. element.EnumerateObject().Select(m => m.Name)];

    private static async Task<Reply> ReadAsync(HttpResponseMessage response) =>
        new((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType, await response.Content.ReadAsStringAsync());
}
