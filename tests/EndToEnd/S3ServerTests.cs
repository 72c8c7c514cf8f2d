using Shouldly;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>A server whose files are in S3: its start, its health, and its answers while S3 is away.</summary>
public sealed class S3ServerTests : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(1);

    private TestDatabase _database = null!;
    private TestS3 _s3 = null!;

    public async Task InitializeAsync() =>
        (_database, _s3) = (await TestDatabase.CreateAsync(DatabaseProvider.Sqlite), await TestS3.StartAsync());

    public async Task DisposeAsync()
    {
        await _s3.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    public async Task While_S3_is_away_files_are_503_and_the_server_stays_ready()
    {
        var settings = _s3.Settings;
        settings["TaskQueue:Health:CanarySeconds"] = "1.5";
        settings["TaskQueue:Health:UnresponsiveAfterSeconds"] = "60";
        var log = new LogLines();
        await using var host = await TestHost.StartAsync(_database.ConnectionString, settings: settings, log: log);
        var id = (await UploadAsync(host.Http)).Json.GetProperty("id").GetString();
        (await host.Http.ReadAsync($"/v1/files/{id}/content")).Text.ShouldBe("{}");
        _s3.Objects.ContainsKey($"q/{id}").ShouldBeTrue();

        _s3.Fault = TestS3.AwayAsync;
        for (var i = 0; i < 3; i++)
        {
            var refused = await UploadAsync(host.Http);
            (refused.Status, refused.Text.Contains("the file store is unavailable", StringComparison.Ordinal)).ShouldBe((503, true));
        }

        (await host.Http.ReadAsync($"/v1/files/{id}/content")).Status.ShouldBe(503);
        (await host.Http.PostAsync("/tasks", """{"action":"uppercase","data":{"text":"a"}}""")).Status.ShouldBe(202);
        var ready = await host.Http.ReadAsync("/health/ready");
        (ready.Status, Description(ready)).ShouldBe((200, "the file store does not answer as it should; the log says more"));

        _s3.Fault = null;
        await Eventually.UntilAsync(async () => Description(await host.Http.ReadAsync("/health/ready")) is null, Deadline,
            "the outage ends by itself");
        (await host.Http.ReadAsync($"/v1/files/{id}/content")).Text.ShouldBe("{}");
        (await UploadAsync(host.Http)).Status.ShouldBe(200);
        log.All.Count(l => l.Contains("file store does not answer", StringComparison.Ordinal)).ShouldBe(1);
        log.All.Count(l => l.Contains("file store answers again", StringComparison.Ordinal)).ShouldBe(1);
        log.All.ShouldAllBe(l => !l.StartsWith("Error", StringComparison.Ordinal));

        static string? Description(Reply ready) =>
            ready.Json.GetProperty("checks").GetProperty("file-store").GetProperty("description").GetString();
    }

    [Fact]
    public async Task A_part_of_a_file_is_downloaded()
    {
        await using var host = await TestHost.StartAsync(_database.ConnectionString, settings: _s3.Settings);
        var id = (await UploadAsync(host.Http, string.Concat(Enumerable.Range(0, 40_000).Select(n => $"{n:D6}")))).Json
            .GetProperty("id").GetString();

        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v1/files/{id}/content")
        {
            Headers = { Range = new(180_000, 180_005) },
        };
        using var answer = await host.Http.SendAsync(request);

        ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync()).ShouldBe((206, "030000"));
    }

    [Theory]
    [InlineData("TaskQueue:Files:S3:Bucket", "no-such-bucket", "NoSuchBucket")]
    [InlineData("TaskQueue:Files:S3:SecretKey", "a-secret-that-is-wrong", "SignatureDoesNotMatch")]
    [InlineData("TaskQueue:Files:S3:AllowHttp", "false", "TaskQueue:Files:S3:AllowHttp")]
    [InlineData("TaskQueue:Files:S3:SecretKey", null, "TaskQueue:Files:S3:SecretKey")]
    [InlineData("TaskQueue:Files:S3:PartBytes", "1000", "TaskQueue:Files:S3:PartBytes")]
    [InlineData("TaskQueue:Files:S3:Buckett", "x", "TaskQueue:Files:S3:Bucket?")]
    [InlineData("TaskQueue:Files:Store", "auto", "TaskQueue:Files:Store")]
    public async Task A_server_does_not_start_with_settings_that_cannot_work(string key, string? value, string word)
    {
        var settings = _s3.Settings.ToDictionary(s => s.Key, s => s.Value!);
        settings[key] = value ?? "";
        var (code, output) = await RunAsync(settings);

        code.ShouldBe(1, output);
        output.ShouldContain(word);
        output.ShouldNotContain("a-secret-that-is-wrong");
        output.ShouldNotContain(TestS3.SecretKey);
        output.ShouldNotContain("   at ", Case.Sensitive, "no stack");
    }

    [Fact]
    public async Task A_server_starts_while_S3_is_away_and_takes_files_when_it_is_back()
    {
        _s3.Fault = TestS3.AwayAsync;
        var log = new LogLines();
        await using var host = await TestHost.StartAsync(_database.ConnectionString, settings: _s3.Settings, log: log);
        log.All.ShouldContain(l => l.Contains("continuing without it", StringComparison.Ordinal));

        _s3.Fault = null;
        (await UploadAsync(host.Http)).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Credentials_come_from_the_environment()
    {
        var settings = _s3.Settings.ToDictionary(s => s.Key, s => s.Value!);
        settings.Remove("TaskQueue:Files:S3:AccessKey");
        settings.Remove("TaskQueue:Files:S3:SecretKey");
        (settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"]) = (TestS3.AccessKey, TestS3.SecretKey);
        settings["AWS_EC2_METADATA_DISABLED"] = "true";
        settings["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:9"; // the setting counts

        await using (var process = await TaskQueueProcess.StartAsync("api,scheduler,consumers", _database.ConnectionString, null, settings))
            (await UploadAsync(process.Http)).Status.ShouldBe(200);

        settings.Remove("AWS_ACCESS_KEY_ID");
        var (code, output) = await RunAsync(settings);
        (code, output.Contains("there are no credentials", StringComparison.Ordinal)).ShouldBe((1, true), output);
        output.ShouldNotContain(TestS3.SecretKey);
    }

    private Task<(int ExitCode, string Output)> RunAsync(Dictionary<string, string> settings)
    {
        settings["ConnectionStrings:TaskQueue"] = _database.ConnectionString;
        return TaskQueueProcess.RunAsync(["--urls", "http://127.0.0.1:0"],
            settings.ToDictionary(s => s.Key.Replace(":", "__", StringComparison.Ordinal), s => s.Value));
    }

    private static async Task<Reply> UploadAsync(HttpClient http, string content = "{}")
    {
        using var form = new MultipartFormDataContent
        {
            { new StringContent("batch"), "purpose" }, { new StringContent(content), "file", "a.jsonl" },
        };
        return await http.SendAsync(HttpMethod.Post, "/v1/files", form);
    }
}
