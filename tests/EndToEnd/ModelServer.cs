using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// A model server with OpenAI's API, in as much detail as clients read. It repeats what it is told; the texts <c>refuse</c>,
/// <c>refuse plainly</c>, <c>refuse in a stream</c>, <c>break</c> and <c>busy…</c> make it fail.
/// </summary>
internal sealed class ModelServer : IAsyncDisposable
{
    public static readonly string[] Endpoints =
        ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/moderations", "/v1/images/generations"];

    private const string Paris = """{"city":"Paris"}""";
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, bool> _refused = new();

    private ModelServer(WebApplication app)
    {
        _app = app;
        app.MapPost("/v1/chat/completions", ChatAsync);
        app.MapPost("/v1/completions", CompleteAsync);
        app.MapPost("/v1/responses", RespondAsync);
        app.MapPost("/v1/embeddings", EmbedAsync);
        app.MapPost("/v1/moderations", context => SayAsync(context, Read(
            """{"id":"modr-1","model":"m","results":[{"flagged":false,"categories":{"hate":false},"category_scores":{"hate":0.1}}]}""")));
        app.MapPost("/v1/images/generations", context => SayAsync(context, Read("""{"created":1,"data":[{"b64_json":"aGk="}]}""")));
    }

    public Uri Address => new(_app.Urls.First());

    public static async Task<ModelServer> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var server = new ModelServer(builder.Build());
        await server._app.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task ChatAsync(HttpContext context)
    {
        var body = await ReadAsync(context);
        var last = body["messages"]!.AsArray()[^1]!;
        var (text, isResult) = (TextOf(last["content"]), (string?)last["role"] == "tool");
        if (text == "refuse")
            await SayAsync(context, Error("maximum context length is 8 tokens", "context_length_exceeded", "messages"), 400);
        else if (text == "refuse plainly")
            await SayAsync(context, new JsonObject { ["detail"] = "it cannot be processed" }, 422);
        else if (text.StartsWith("busy", StringComparison.Ordinal) && _refused.TryAdd(text, true))
            await SayAsync(context, Error("slow down", "rate_limit_exceeded", null), 429);
        else if (text == "refuse in a stream")
            await StreamAsync(context, [$"data: {Error("out of memory", "internal", null).ToJsonString()}\n\n"]);
        else if (text == "break")
            await BreakAsync(context);
        else if (!isResult && body["tools"] is JsonArray { Count: > 0 } tools)
            await CallToolAsync(context, body, (string)tools[0]!["function"]!["name"]!);
        else
            await SayChatAsync(context, body, isResult ? $"It is {text}"
                : body["response_format"] is { } format && (string?)format["type"] != "text" ? Paris : $"You said {text}");
    }

    private static Task SayChatAsync(HttpContext context, JsonObject body, string text) =>
        IsStream(body)
            ? StreamChatAsync(context, body,
                [Chunk(new() { ["role"] = "assistant", ["content"] = "" }), .. Words(text).Select(w => Chunk(new() { ["content"] = w })),
                    Chunk(new(), "stop")])
            : SayAsync(context, Completion(new() { ["role"] = "assistant", ["content"] = text, ["refusal"] = null }, "stop"));

    private static Task CallToolAsync(HttpContext context, JsonObject body, string name)
    {
        JsonObject Call(string arguments) =>
            new()
            {
                ["index"] = 0, ["id"] = "call_1", ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = name, ["arguments"] = arguments },
            };
        JsonObject Asking(JsonObject call) => new() { ["role"] = "assistant", ["content"] = null, ["tool_calls"] = new JsonArray(call) };
        JsonObject More(string arguments) =>
            new()
            {
                ["tool_calls"] = new JsonArray(
                    new JsonObject { ["index"] = 0, ["function"] = new JsonObject { ["arguments"] = arguments } }),
            };
        return IsStream(body)
            ? StreamChatAsync(context, body,
                [Chunk(Asking(Call(""))), Chunk(More(Paris[..8])), Chunk(More(Paris[8..])), Chunk(new(), "tool_calls")])
            : SayAsync(context, Completion(Asking(Call(Paris)), "tool_calls"));
    }

    private static JsonObject Completion(JsonObject message, string reason) =>
        new()
        {
            ["id"] = "chatcmpl-1", ["object"] = "chat.completion", ["created"] = 1, ["model"] = "m", ["usage"] = Usage(),
            ["choices"] = new JsonArray(
                new JsonObject { ["index"] = 0, ["message"] = message, ["logprobs"] = null, ["finish_reason"] = reason }),
        };

    private static JsonObject Chunk(JsonObject? delta, string? reason = null) =>
        new()
        {
            ["id"] = "chatcmpl-1", ["object"] = "chat.completion.chunk", ["created"] = 1, ["model"] = "m",
            ["choices"] = delta is null ? new JsonArray() : new JsonArray(
                new JsonObject { ["index"] = 0, ["delta"] = delta, ["finish_reason"] = reason }),
        };

    private static Task StreamChatAsync(HttpContext context, JsonObject body, IEnumerable<JsonObject> chunks)
    {
        if ((bool?)body["stream_options"]?["include_usage"] == true)
        {
            var last = Chunk(delta: null);
            last["usage"] = Usage();
            chunks = chunks.Append(last);
        }

        return StreamAsync(context, chunks.Select(c => $"data: {c.ToJsonString()}\n\n").Append("data: [DONE]\n\n"));
    }

    /// <summary>A stream that begins and then tells of an error, as this server does when the connection to its own model breaks.</summary>
    private static Task BreakAsync(HttpContext context) =>
        StreamAsync(context,
        [
            $"data: {Chunk(new() { ["role"] = "assistant", ["content"] = "You" }).ToJsonString()}\n\n",
            $"data: {Error("the connection broke", "internal", null).ToJsonString()}\n\n",
        ]);

    private static async Task CompleteAsync(HttpContext context)
    {
        var body = await ReadAsync(context);
        var prompt = (string)(body["prompt"] is JsonArray list ? list[0] : body["prompt"])!;
        // Some clients write a conversation.
        var text = $"You said {prompt.Split("user:\n")[^1].Split('\n')[0]}";
        JsonObject Of(string part, string? reason) =>
            new()
            {
                ["id"] = "cmpl-1", ["object"] = "text_completion", ["created"] = 1, ["model"] = "m", ["usage"] = Usage(),
                ["choices"] = new JsonArray(
                    new JsonObject { ["index"] = 0, ["text"] = part, ["logprobs"] = null, ["finish_reason"] = reason }),
            };
        await (IsStream(body)
            ? StreamAsync(context, Words(text).Select(w => Of(w, null)).Append(Of("", "stop"))
                .Select(c => $"data: {c.ToJsonString()}\n\n").Append("data: [DONE]\n\n"))
            : SayAsync(context, Of(text, "stop")));
    }

    private static async Task RespondAsync(HttpContext context)
    {
        var body = await ReadAsync(context);
        var text = $"You said {TextOf(body["input"] is JsonArray list ? list[^1]!["content"] : body["input"])}";
        JsonObject Part(string said) => new() { ["type"] = "output_text", ["text"] = said, ["annotations"] = new JsonArray() };
        JsonObject Item(string status, params JsonObject[] parts) =>
            new()
            {
                ["id"] = "msg_1", ["type"] = "message", ["role"] = "assistant", ["status"] = status,
                ["content"] = new JsonArray([.. parts]),
            };
        JsonObject Response(string status, params JsonObject[] items)
        {
            var response = Read("""
                {"id":"resp_1","object":"response","created_at":1,"model":"m","error":null,"incomplete_details":null,"instructions":null,
                "metadata":{},"parallel_tool_calls":true,"temperature":1,"tool_choice":"auto","tools":[],"top_p":1,"usage":{
                "input_tokens":3,"input_tokens_details":{"cached_tokens":0},"output_tokens":2,
                "output_tokens_details":{"reasoning_tokens":0},"total_tokens":5}}
                """);
            response["status"] = status;
            response["output"] = new JsonArray([.. items]);
            return response;
        }

        JsonObject Completed() => Response("completed", Item("completed", Part(text)));
        JsonObject Delta(string word) => At(new() { ["delta"] = word, ["logprobs"] = new JsonArray() });
        if (!IsStream(body))
        {
            await SayAsync(context, Completed());
            return;
        }

        var events = new List<(string Type, JsonObject Members)>
        {
            ("response.created", new() { ["response"] = Response("in_progress") }),
            ("response.output_item.added", new() { ["output_index"] = 0, ["item"] = Item("in_progress") }),
            ("response.content_part.added", At(new() { ["part"] = Part("") })),
        };
        events.AddRange(Words(text).Select(w => ("response.output_text.delta", Delta(w))));
        events.AddRange(
        [
            ("response.output_text.done", At(new() { ["text"] = text, ["logprobs"] = new JsonArray() })),
            ("response.content_part.done", At(new() { ["part"] = Part(text) })),
            ("response.output_item.done", new() { ["output_index"] = 0, ["item"] = Item("completed", Part(text)) }),
            ("response.completed", new() { ["response"] = Completed() }),
        ]);
        foreach (var (n, (type, members)) in events.Index())
            (members["type"], members["sequence_number"]) = (type, n);
        await StreamAsync(context, events.Select(e => $"event: {e.Type}\ndata: {e.Members.ToJsonString()}\n\n"));
    }

    /// <summary>Says of which part of a response an event is.</summary>
    private static JsonObject At(JsonObject members)
    {
        (members["item_id"], members["output_index"], members["content_index"]) = ("msg_1", 0, 0);
        return members;
    }

    /// <summary>The vector of a text is its length and a half.</summary>
    private static async Task EmbedAsync(HttpContext context)
    {
        var body = await ReadAsync(context);
        var texts = body["input"] is JsonArray list ? list.Select(t => (string)t!) : [(string)body["input"]!];
        var vectors = texts.Select(t => new[] { t.Length, 0.5f }).Select(v => (string?)body["encoding_format"] == "base64"
            ? JsonValue.Create(Convert.ToBase64String(MemoryMarshal.AsBytes<float>(v))) : (JsonNode)new JsonArray(v[0], v[1]));
        await SayAsync(context, new()
        {
            ["object"] = "list", ["model"] = "m", ["usage"] = Usage(),
            ["data"] = new JsonArray([.. vectors.Select((v, n) =>
                new JsonObject { ["object"] = "embedding", ["index"] = n, ["embedding"] = v })]),
        });
    }

    private static JsonObject Usage() => new() { ["prompt_tokens"] = 3, ["completion_tokens"] = 2, ["total_tokens"] = 5 };

    private static JsonObject Error(string message, string code, string? param) =>
        new()
        {
            ["error"] = new JsonObject { ["message"] = message, ["type"] = "invalid_request_error", ["param"] = param, ["code"] = code },
        };

    private static bool IsStream(JsonObject body) => (bool?)body["stream"] == true;

    private static string TextOf(JsonNode? content) =>
        content is JsonArray parts ? string.Concat(parts.Select(p => (string?)p!["text"])) : (string)content!;

    /// <summary>A text in pieces, as a model makes it.</summary>
    private static IEnumerable<string> Words(string text) => text.Split(' ').Select((w, n) => n == 0 ? w : $" {w}");

    private static JsonObject Read(string json) => JsonNode.Parse(json)!.AsObject();

    private static async Task<JsonObject> ReadAsync(HttpContext context) =>
        (await JsonSerializer.DeserializeAsync<JsonObject>(context.Request.Body))!;

    private static Task SayAsync(HttpContext context, JsonObject body, int status = 200)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        return context.Response.WriteAsync(body.ToJsonString());
    }

    private static async Task StreamAsync(HttpContext context, IEnumerable<string> events)
    {
        context.Response.ContentType = "text/event-stream";
        foreach (var item in events)
            await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(item));
    }
}
