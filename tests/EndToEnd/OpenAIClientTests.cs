using System.ClientModel;
using System.ClientModel.Primitives;
using System.Text;
using System.Text.Json;
using OpenAI;
using OpenAI.Batch;
using OpenAI.Files;
using Shouldly;
using TaskQueue.Tests.Servers;
using Xunit;

#pragma warning disable OPENAI001 // its batches are a preview

namespace TaskQueue.Tests.EndToEnd;

/// <summary>The official .NET client, unmodified.</summary>
public abstract class OpenAIClientTests(BellaServer server)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    public sealed class OnSqlite(BellaOnSqlite server) : OpenAIClientTests(server), IClassFixture<BellaOnSqlite>;

    public sealed class OnPostgresAndRabbitMq(BellaOnPostgres server) : OpenAIClientTests(server), IClassFixture<BellaOnPostgres>;

    [Fact]
    public async Task It_uploads_a_file_creates_polls_and_lists_batches_and_downloads_results()
    {
        var queue = await server.RegisterAsync();
        using var stop = new CancellationTokenSource();
        var working = BatchWorker.RunAsync(server.OtherHttp, queue, stop.Token);
        var file = await UploadAsync(queue, 4);

        var operation = await Batches.CreateBatchAsync(Content(file.Id), waitUntilCompleted: false);
        var batch = await EndAsync(operation);
        await stop.CancelAsync();
        await working;

        batch.GetProperty("status").GetString().ShouldBe("completed");
        batch.GetProperty("request_counts").GetProperty("completed").GetInt32().ShouldBe(4);
        var output = (await Files.DownloadFileAsync(batch.GetProperty("output_file_id").GetString())).Value.ToString();
        output.Trim().Split('\n').Select(l => JsonDocument.Parse(l).RootElement.GetProperty("custom_id").GetString()).Order()
            .ShouldBe(["r0", "r1", "r2", "r3"]);
        var listed = new List<string>();
        await foreach (var page in Batches.GetBatchesAsync(after: null, limit: 1, options: null).GetRawPagesAsync())
        {
            listed.AddRange(JsonDocument.Parse(page.GetRawResponse().Content).RootElement.GetProperty("data").EnumerateArray()
                .Select(b => b.GetProperty("id").GetString()!));
            if (listed.Contains(operation.BatchId))
                break;
        }

        listed.ShouldContain(operation.BatchId);
        (await Files.GetFileAsync(file.Id)).Value.Filename.ShouldBe("in.jsonl");
        (await Files.GetFilesAsync(FilePurpose.Batch)).Value.Select(f => f.Id).ShouldContain(file.Id);
        (await Files.DeleteFileAsync(file.Id)).Value.Deleted.ShouldBeTrue();
    }

    [Fact]
    public async Task It_cancels_a_batch()
    {
        var queue = await server.RegisterAsync();
        var file = await UploadAsync(queue, 3);
        var operation = await Batches.CreateBatchAsync(Content(file.Id), waitUntilCompleted: false);

        await operation.CancelAsync(options: null);

        var batch = await EndAsync(operation);
        batch.GetProperty("status").GetString().ShouldBe("cancelled");
        batch.GetProperty("request_counts").GetProperty("failed").GetInt32().ShouldBe(0); // none of them was run
    }

    [Fact]
    public async Task It_receives_the_error()
    {
        var fault = await Should.ThrowAsync<ClientResultException>(() =>
            Batches.CreateBatchAsync(Content("file-1"), waitUntilCompleted: false));

        fault.Status.ShouldBeOneOf(400, 404);
        fault.Message.ShouldContain("file-1");
    }

    private OpenAIClient Client =>
        new(new ApiKeyCredential(TestKeys.Of("A")),
            new OpenAIClientOptions { Endpoint = new Uri(server.Http.BaseAddress!, "/v1"), RetryPolicy = new ClientRetryPolicy(0) });

    private BatchClient Batches => Client.GetBatchClient();

    private OpenAIFileClient Files => Client.GetOpenAIFileClient();

    private static BinaryContent Content(string file) =>
        BinaryContent.Create(BinaryData.FromString(
            $$"""{"input_file_id":"{{file}}","endpoint":"/v1/chat/completions","completion_window":"24h"}"""));

    private async Task<OpenAIFile> UploadAsync(string queue, int lines)
    {
        var text = string.Join('\n', Enumerable.Range(0, lines).Select(n =>
            $$$"""{"custom_id":"r{{{n}}}","method":"POST","url":"/v1/chat/completions","body":{"model":"{{{queue}}}","n":{{{n}}}}}"""));
        return await Files.UploadFileAsync(new MemoryStream(Encoding.UTF8.GetBytes(text)), "in.jsonl", FileUploadPurpose.Batch);
    }

    private static Task<JsonElement> EndAsync(CreateBatchOperation operation) =>
        Eventually.UntilAsync(
            async () => JsonDocument.Parse((await operation.GetBatchAsync(options: null)).GetRawResponse().Content).RootElement is var batch
                && batch.GetProperty("status").GetString() is "completed" or "failed" or "expired" or "cancelled" ? (object)batch : null,
            Deadline, "the batch has ended").ContinueWith(t => (JsonElement)t.Result, TaskScheduler.Default);
}
