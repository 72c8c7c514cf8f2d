using System.ClientModel;
using System.Text;
using OpenAI;
using OpenAI.Chat;
using Shouldly;
using Xunit;

#pragma warning disable OPENAI001 // responses are a preview

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The official .NET client, unmodified: requests whose answer it waits for.</summary>
public abstract class OpenAIOnlineClientTests(ModelStack server)
{
    private const string City =
        """{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}""";

    public sealed class OnSqlite(ModelsOnSqlite server) : OpenAIOnlineClientTests(server), IClassFixture<ModelsOnSqlite>;

    public sealed class OnServers(ModelsOnServers server) : OpenAIOnlineClientTests(server), IClassFixture<ModelsOnServers>;

    private ChatClient Chat => Client().GetChatClient("m");

    [Fact]
    public async Task A_chat_is_answered()
    {
        var answer = await Chat.CompleteChatAsync(new UserChatMessage("hello"));

        answer.Value.Content[0].Text.ShouldBe("You said hello");
        answer.Value.Usage.TotalTokenCount.ShouldBe(5);
        answer.GetRawResponse().Headers.TryGetValue("x-request-id", out var id).ShouldBeTrue();
        id!.ShouldStartWith("TASK-");
    }

    [Fact]
    public async Task A_stream_is_read_piece_by_piece()
    {
        var (pieces, tokens) = await ReadAsync("hello");

        pieces.Count.ShouldBeGreaterThan(1);
        string.Concat(pieces).ShouldBe("You said hello");
        tokens.ShouldBe(5);
    }

    [Fact]
    public async Task A_tool_is_called_and_its_result_is_used()
    {
        var options = new ChatCompletionOptions
        {
            Tools = { ChatTool.CreateFunctionTool("weather", "The weather in a city.", BinaryData.FromString(City)) },
        };
        var asked = (await Chat.CompleteChatAsync([new UserChatMessage("weather")], options)).Value;
        asked.FinishReason.ShouldBe(ChatFinishReason.ToolCalls);
        asked.ToolCalls[0].FunctionArguments.ToString().ShouldBe("""{"city":"Paris"}""");
        var arguments = new StringBuilder();
        await foreach (var update in Chat.CompleteChatStreamingAsync([new UserChatMessage("weather")], options))
        {
            foreach (var call in update.ToolCallUpdates)
                arguments.Append(call.FunctionArgumentsUpdate);
        }

        arguments.ToString().ShouldBe("""{"city":"Paris"}""");
        ChatMessage[] messages = [new UserChatMessage("weather"), new AssistantChatMessage(asked),
            new ToolChatMessage(asked.ToolCalls[0].Id, "sunny in Paris")];
        (await Chat.CompleteChatAsync(messages, options)).Value.Content[0].Text.ShouldBe("It is sunny in Paris");
    }

    [Fact]
    public async Task A_structured_output_has_its_schema()
    {
        var options = new ChatCompletionOptions
        {
            ResponseFormat = ChatResponseFormat.CreateJsonSchemaFormat("city", BinaryData.FromString(City), jsonSchemaIsStrict: true),
        };

        var answer = await Chat.CompleteChatAsync([new UserChatMessage("which city")], options);

        answer.Value.Content[0].Text.ShouldBe("""{"city":"Paris"}""");
    }

    [Fact]
    public async Task Responses_embeddings_moderations_and_images_are_created()
    {
        (await Client().GetResponsesClient().CreateResponseAsync("m", "hello")).Value.GetOutputText().ShouldBe("You said hello");
        (await Client().GetEmbeddingClient("m").GenerateEmbeddingsAsync(["hello", "you"])).Value
            .Select(e => e.ToFloats().ToArray()).ShouldBe([[5f, 0.5f], [3f, 0.5f]]);
        (await Client().GetModerationClient("m").ClassifyTextAsync("hello")).Value.Flagged.ShouldBeFalse();
        (await Client().GetImageClient("m").GenerateImageAsync("a dot")).Value.ImageBytes.ToString().ShouldBe("hi");
    }

    [Fact]
    public async Task Models_are_listed()
    {
        (await Client().GetOpenAIModelClient().GetModelsAsync()).Value.Select(m => m.Id).ShouldContain("m");
        (await Client().GetOpenAIModelClient().GetModelAsync("m")).Value.Id.ShouldBe("m");
    }

    [Theory]
    [InlineData("refuse", 400, "maximum context length is 8 tokens")]
    [InlineData("refuse plainly", 422, "422")]
    public async Task Errors_have_their_status_and_message(string text, int status, string message)
    {
        var waited = await Should.ThrowAsync<ClientResultException>(() => Chat.CompleteChatAsync(new UserChatMessage(text)));
        var streamed = await Should.ThrowAsync<ClientResultException>(() => ReadAsync(text));

        (waited.Status, streamed.Status).ShouldBe((status, status));
        waited.Message.ShouldContain(message);
        streamed.Message.ShouldContain(message);
    }

    [Fact]
    public async Task A_stream_that_breaks_ends_without_a_reason()
    {
        var (text, reason) = ("", (ChatFinishReason?)null);
        await foreach (var update in Chat.CompleteChatStreamingAsync(new UserChatMessage("break")))
            (text, reason) = (text + string.Concat(update.ContentUpdate.Select(p => p.Text)), update.FinishReason ?? reason);

        (text, reason).ShouldBe(("You", null)); // the client passes over the event with the error
    }

    [Fact]
    public async Task Errors_of_the_server_are_read()
    {
        var stranger = await Should.ThrowAsync<ClientResultException>(() =>
            Client("wrong").GetChatClient("m").CompleteChatAsync(new UserChatMessage("hello")));
        var nowhere = await Should.ThrowAsync<ClientResultException>(() => Client().GetOpenAIModelClient().GetModelAsync("nobody"));

        stranger.Status.ShouldBe(401);
        nowhere.Status.ShouldBe(404);
        nowhere.Message.ShouldContain("there is no model nobody");
    }

    [Fact]
    public async Task A_request_that_is_refused_for_now_is_retried()
    {
        var text = $"busy {Guid.NewGuid()}";

        var answer = await Client().GetChatClient("m-busy").CompleteChatAsync(new UserChatMessage(text));

        answer.Value.Content[0].Text.ShouldBe($"You said {text}");
    }

    private OpenAIClient Client(string? key = null) =>
        new(new ApiKeyCredential(key ?? ModelStack.Key), new OpenAIClientOptions { Endpoint = server.BaseUrl });

    private async Task<(List<string> Pieces, int Tokens)> ReadAsync(string text)
    {
        var (pieces, tokens) = (new List<string>(), 0);
        await foreach (var update in Chat.CompleteChatStreamingAsync(new UserChatMessage(text)))
        {
            pieces.AddRange(update.ContentUpdate.Select(p => p.Text).Where(p => p.Length > 0));
            tokens += update.Usage?.TotalTokenCount ?? 0;
        }

        return (pieces, tokens);
    }
}
