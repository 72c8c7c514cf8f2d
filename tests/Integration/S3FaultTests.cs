using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using TaskQueue.Engine;
using TaskQueue.Engine.Auth;
using TaskQueue.Engine.Files;
using TaskQueue.Engine.Telemetry;
using TaskQueue.Scheduler.Retention;
using TaskQueue.Storage;
using TaskQueue.Tests.Servers;
using Xunit;

namespace TaskQueue.Tests.Integration;

/// <summary>File contents in S3 while the server fails, lies or loses answers, and after a crash of ours.</summary>
public sealed class S3FaultTests : IAsyncLifetime
{
    private const int Part = TestS3.MinPartBytes;
    private static readonly DateTime Start = new(2031, 2, 3, 4, 5, 6, DateTimeKind.Utc);

    private readonly SetTime _time = new(Start);
    private TestDatabase _database = null!;
    private TestS3 _s3 = null!;
    private TestEngine _engine = null!;

    private FileService Files => _engine.Files;

    private Outage Outage => _engine.Services.GetRequiredService<DependencyHealth>().Files;

    public async Task InitializeAsync()
    {
        _database = await TestDatabase.CreateAsync(DatabaseProvider.Sqlite);
        _s3 = await TestS3.StartAsync();
        _s3.Time = _time;
        _engine = Engine([]);
    }

    public async Task DisposeAsync()
    {
        await _engine.DisposeAsync();
        await _s3.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Theory]
    [InlineData(0, "PutObject")]
    [InlineData(Part, "PutObject")]
    [InlineData(Part + 1, "CreateMultipartUpload UploadPart UploadPart CompleteMultipartUpload")]
    [InlineData(2 * Part, "CreateMultipartUpload UploadPart UploadPart CompleteMultipartUpload")]
    public async Task A_content_is_sent_at_once_or_in_parts(int length, string calls)
    {
        var content = RandomNumberGenerator.GetBytes(length);

        var file = await CreateAsync(content);

        _s3.Calls.Select(c => c.Name).ShouldBe(calls.Split(' '));
        _s3.Calls.ShouldAllBe(c => c.Key == $"q/{file.Id}");
        (await ReadAsync(file)).ShouldBe(content);
    }

    [Fact]
    public async Task Tags_that_are_no_MD5_are_taken_as_they_are()
    {
        _s3.HasOpaqueTags = true;
        foreach (var length in new[] { 0, 1, (2 * Part) + 1 })
        {
            var content = RandomNumberGenerator.GetBytes(length);
            (await ReadAsync(await CreateAsync(content))).ShouldBe(content);
        }
    }

    [Fact]
    public async Task A_server_that_is_away_in_the_middle_of_an_upload_leaves_nothing_in_the_end()
    {
        _s3.Fault = (context, call) => call.Part > 1 || call.Name is "AbortMultipartUpload" or "DeleteObject"
            ? TestS3.AwayAsync(context, call) : Task.FromResult(false);

        await Should.ThrowAsync<FileStoreException>(() => CreateAsync(new byte[3 * Part]));

        _s3.Calls.Count(c => c.Part == 2).ShouldBeGreaterThanOrEqualTo(3, "two repetitions");
        Outage.IsOn.ShouldBeTrue();
        (await Files.ListAsync(Access.All, null, null, 10, true, default)).ShouldBeEmpty();
        (_s3.Objects.Count, _s3.Uploads.Count, await RowsAsync()).ShouldBe((0, 1, 1), "the server could not be told");
        _s3.Fault = null;
        _time.Now = Start.AddDays(1).AddSeconds(1);
        (await new AbandonedFiles(Files).RunAsync(() => { }, default)).ShouldBe(2);
        (_s3.Objects.Count, _s3.Uploads.Count, await RowsAsync()).ShouldBe((0, 0, 0));
        Outage.IsOn.ShouldBeFalse("it works again");
    }

    [Fact]
    public async Task A_failed_upload_is_given_up_on_the_server()
    {
        _s3.Fault = (context, call) => call.Part > 1 ? TestS3.FailAsync(context, 500, "InternalError", "We failed.")
            : Task.FromResult(false);

        var fault = await Should.ThrowAsync<FileStoreException>(() => CreateAsync(new byte[3 * Part]));

        fault.Message.ShouldContain("InternalError");
        (_s3.Objects.Count, _s3.Uploads.Count, await RowsAsync()).ShouldBe((0, 0, 0));
    }

    [Fact]
    public async Task An_abandoned_upload_is_not_stored_first()
    {
        await using (var file = await Files.OpenWriteAsync(null, "batch", "a"))
            await file.Stream.WriteAsync(new byte[(2 * Part) + 1]);

        _s3.Calls.Select(c => c.Name)
            .ShouldBe(["CreateMultipartUpload", "UploadPart", "UploadPart", "AbortMultipartUpload", "DeleteObject"]);
        (_s3.Objects.Count, _s3.Uploads.Count, await RowsAsync()).ShouldBe((0, 0, 0));
    }

    [Fact]
    public async Task A_server_that_asks_to_slow_down_is_asked_again()
    {
        var refused = 0;
        _s3.Fault = (context, call) => Interlocked.Increment(ref refused) <= 2
            ? TestS3.FailAsync(context, 503, "SlowDown", "Please reduce your request rate.") : Task.FromResult(false);
        var content = RandomNumberGenerator.GetBytes(100);
        (await ReadAsync(await CreateAsync(content))).ShouldBe(content);

        _s3.Fault = (context, call) => TestS3.FailAsync(context, 503, "SlowDown", "Please reduce your request rate.");
        (await Should.ThrowAsync<FileStoreException>(() => CreateAsync(content))).Message.ShouldContain("SlowDown");
    }

    [Fact]
    public async Task The_lost_answer_to_the_completion_of_an_upload_is_no_failure()
    {
        var content = RandomNumberGenerator.GetBytes(Part + 1);
        _s3.Lost = (context, call) => call.Name == "CompleteMultipartUpload" ? TestS3.AwayAsync(context, call) : Task.FromResult(false);

        var file = await CreateAsync(content);

        _s3.Calls.Select(c => c.Name).TakeLast(2).ShouldBe(["CompleteMultipartUpload", "HeadObject"]);
        (await ReadAsync(file)).ShouldBe(content);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_download_that_is_cut_off_or_stands_still_goes_on_where_it_was(bool stands)
    {
        await using var engine = Engine(new() { ["TaskQueue:Files:S3:TimeoutSeconds"] = stands ? "3" : "30" });
        var content = RandomNumberGenerator.GetBytes(1024 * 1024);
        var file = await CreateAsync(content);
        var answers = 0;
        _s3.Lost = async (context, call) =>
        {
            if (call.Name != "GetObject" || Interlocked.Increment(ref answers) > 2)
                return false;
            var from = (int)context.Request.GetTypedHeaders().Range!.Ranges.Single().From!.Value;
            await context.Response.Body.WriteAsync(content.AsMemory(from, (int)context.Response.ContentLength! / 3));
            await context.Response.Body.FlushAsync();
            if (stands)
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            context.Abort();
            return true;
        };

        await using var stream = await engine.Files.OpenReadAsync(file, default);
        var read = new byte[content.Length];
        await stream.ReadExactlyAsync(read);

        read.ShouldBe(content);
        (await stream.ReadAsync(new byte[1])).ShouldBe(0);
        _s3.Calls.Count(c => c.Name == "GetObject").ShouldBeGreaterThanOrEqualTo(3);
        engine.Services.GetRequiredService<DependencyHealth>().Files.IsOn.ShouldBeFalse();
    }

    [Fact]
    public async Task A_download_that_is_always_cut_off_fails()
    {
        var file = await CreateAsync(new byte[100_000]);
        _s3.Lost = async (context, call) =>
        {
            if (call.Name == "GetObject")
            {
                await context.Response.StartAsync();
                context.Abort();
            }

            return call.Name == "GetObject";
        };

        await Should.ThrowAsync<FileStoreException>(() => ReadAsync(file));

        _s3.Calls.Count(c => c.Name == "GetObject").ShouldBeGreaterThanOrEqualTo(3);
        Outage.IsOn.ShouldBeTrue();
    }

    [Fact]
    public async Task A_content_that_is_gone_is_not_found()
    {
        var file = await CreateAsync([1]);
        _s3.Objects.Clear();

        await Should.ThrowAsync<FileNotFoundException>(() => Files.OpenReadAsync(file, default));

        Outage.IsOn.ShouldBeFalse();
        (await Files.DeleteAsync(file.Id, Access.All)).ShouldBeTrue();
    }

    [Fact]
    public async Task An_upload_of_a_killed_process_is_aborted_after_a_day_and_no_other()
    {
        var killed = await Files.OpenWriteAsync("ann", "batch", "killed"); // never disposed
        await killed.Stream.WriteAsync(new byte[(2 * Part) + 1]);
        var kept = await CreateAsync([1]);
        _s3.Uploads["orphan"] = new S3Upload($"q/{kept.Id}", Start); // begun twice, because the first answer was lost
        _s3.Uploads["foreign"] = new S3Upload("other/file-1", Start);
        _s3.Uploads["else"] = new S3Upload("q/notes", Start);
        _s3.Uploads["pdf"] = new S3Upload("q/file-report.pdf", Start);
        _s3.PageSize = 1;
        _time.Now = Start.AddDays(1).AddSeconds(1);
        await using var young = await Files.OpenWriteAsync("ann", "batch", "young");
        await young.Stream.WriteAsync(new byte[Part + 1]);

        (await new AbandonedFiles(Files).RunAsync(() => { }, default)).ShouldBe(3, "a row and two uploads");

        _s3.Uploads.Values.Select(u => u.Key)
            .ShouldBe(["other/file-1", "q/notes", "q/file-report.pdf", $"q/{young.File.Id}"], ignoreOrder: true);
        await young.CommitAsync();
        (await ReadAsync(kept)).ShouldBe([1]);
    }

    [Fact]
    public async Task Only_contents_without_a_row_are_removed_after_a_day()
    {
        var known = await CreateAsync([1]);
        string[] others = ["q/notes", "q/file-report.pdf", "q/file-1", $"q/{Id(3)}/x", $"q/{Id(3)}x", Id(4), $"other/{Id(5)}"];
        foreach (var key in others.Concat([$"q/{Id(1)}", $"q/{Id(2)}", $"q/file-probe-{Guid.NewGuid():N}"]))
            _s3.Objects[key] = new S3Object([1], "\"1\"", Start);
        _s3.PageSize = 1;
        _s3.ListsUploads = false; // as on some servers
        _time.Now = Start.AddDays(1).AddSeconds(1);
        _s3.Objects[$"q/{Id(6)}"] = new S3Object([1], "\"1\"", _time.Now);

        (await Files.RemoveStraysAsync(() => { }, fault => throw fault)).ShouldBe(3);

        _s3.Objects.Keys.ShouldBe([$"q/{known.Id}", $"q/{Id(6)}", .. others], ignoreOrder: true);

        static string Id(int number) => $"file-310203040506{number:D4}000001-{number:D9}";
    }

    [Fact]
    public async Task A_content_that_cannot_be_removed_changes_no_answer_and_hinders_no_other()
    {
        _s3.Fault = (context, call) => call.Name == "DeleteObject" ? TestS3.FailAsync(context, 403, "AccessDenied", "Access Denied")
            : Task.FromResult(false);
        await Should.ThrowAsync<FileTooLargeException>(() =>
            Files.CreateAsync("ann", "batch", "a.jsonl", new MemoryStream([1, 2]), maxBytes: 1, default));
        var (locked, other) = (await CreateAsync([1]), await CreateAsync([2]));
        foreach (var file in new[] { locked, other })
        {
            (await Files.DeleteAsync(file.Id, Access.All)).ShouldBeTrue();
            (await Files.FindAsync(file.Id, Access.All, default)).ShouldBeNull();
        }

        (_s3.Objects.Count, await RowsAsync()).ShouldBe((2, 3));

        _s3.Fault = (context, call) => call.Name == "DeleteObject" && call.Key == $"q/{locked.Id}"
            ? TestS3.FailAsync(context, 403, "AccessDenied", "Access Denied") : Task.FromResult(false);
        _time.Now = Start.AddDays(1).AddSeconds(1);
        (await Should.ThrowAsync<FileStoreException>(() => new AbandonedFiles(Files).RunAsync(() => { }, default)))
            .Message.ShouldContain("AccessDenied");
        (_s3.Objects.Keys.ShouldHaveSingleItem(), await RowsAsync()).ShouldBe(($"q/{locked.Id}", 1));

        _s3.Fault = null;
        (await new AbandonedFiles(Files).RunAsync(() => { }, default)).ShouldBe(1);
        (_s3.Objects.Count, await RowsAsync()).ShouldBe((0, 0));
    }

    [Theory]
    [InlineData("TaskQueue:Files:S3:Bucket", "no-such-bucket", "NoSuchBucket", "TaskQueue:Files:S3:Bucket")]
    [InlineData("TaskQueue:Files:S3:AccessKey", "SOMEBODYELSE", "InvalidAccessKeyId", "TaskQueue:Files:S3:AccessKey")]
    [InlineData("TaskQueue:Files:S3:SecretKey", "a-secret-that-is-wrong", "SignatureDoesNotMatch", "TaskQueue:Files:S3:SecretKey")]
    [InlineData("TaskQueue:Files:S3:Region", "us-west-1", "AuthorizationHeaderMalformed", "TaskQueue:Files:S3:Region")]
    public async Task Settings_that_the_server_refuses_are_named(string key, string value, params string[] words)
    {
        await using var engine = Engine(new() { [key] = value });

        var fault = await Should.ThrowAsync<FileStoreRefusedException>(() =>
            engine.Services.GetRequiredService<IFileContents>().ProbeAsync(default));

        words.ShouldAllBe(word => fault.Message.Contains(word));
        fault.ToString().ShouldNotContain(TestS3.SecretKey);
        fault.ToString().ShouldNotContain("a-secret-that-is-wrong");
    }

    [Fact]
    public async Task A_key_that_may_not_list_is_told_what_it_needs()
    {
        _s3.Fault = (context, call) => call.Name == "ListObjectsV2" ? TestS3.FailAsync(context, 403, "AccessDenied", "Access Denied")
            : Task.FromResult(false);

        (await Should.ThrowAsync<FileStoreRefusedException>(() => Contents.ProbeAsync(default))).Message.ShouldContain("s3:ListBucket");
    }

    [Fact]
    public void A_short_file_needs_less_memory_than_a_part()
    {
        Files.WriteMemory(1000).ShouldBe(2000);
        Files.WriteMemory(null).ShouldBe(Part);
        Files.WriteMemory(long.MaxValue).ShouldBe(Part);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_sent_has_more_time_than_an_answer(bool sends)
    {
        await using var engine = Engine(new()
        {
            ["TaskQueue:Files:S3:TimeoutSeconds"] = "1.5",
            ["TaskQueue:Files:S3:Retries"] = sends ? "2" : "0",
        });
        _s3.Fault = async (context, call) =>
        {
            if (sends ? call.Part == 1 : call.Name == "CreateMultipartUpload")
                await Task.Delay(sends ? TimeSpan.FromSeconds(2) : Timeout.InfiniteTimeSpan, context.RequestAborted)
                    .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return false;
        };
        var content = new MemoryStream(new byte[Part + 1]);
        var upload = () => engine.Files.CreateAsync("ann", "batch", "a.jsonl", content, long.MaxValue, default);

        if (sends)
            (await upload()).Bytes.ShouldBe(Part + 1);
        else
            await Should.ThrowAsync<FileStoreException>(upload);
    }

    [Fact]
    public async Task A_probe_that_works_leaves_nothing()
    {
        await Contents.ProbeAsync(default);

        _s3.Calls.Select(c => c.Name).ShouldBe(["PutObject", "GetObject", "ListObjectsV2", "DeleteObject"]);
        _s3.Objects.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_outage_is_over_when_a_probe_works()
    {
        _s3.Fault = TestS3.AwayAsync;
        await Should.ThrowAsync<FileStoreException>(() => CreateAsync([1]));
        var probe = new FileStoreProbe(Contents, _engine.Services.GetRequiredService<DependencyHealth>());
        await probe.ProbeAsync(TimeSpan.FromMinutes(1));
        Outage.IsOn.ShouldBeTrue();

        _s3.Fault = null;
        _time.Now = Start.AddMinutes(1);
        await probe.ProbeAsync(TimeSpan.FromMinutes(1));

        Outage.IsOn.ShouldBeFalse();
    }

    [Fact]
    public async Task An_answer_that_stands_still_in_its_text_does_not_hold_the_probe()
    {
        _s3.Fault = TestS3.AwayAsync;
        await Should.ThrowAsync<FileStoreException>(() => CreateAsync([1]));
        var goOn = new TaskCompletionSource();
        _s3.Fault = async (context, call) =>
        {
            if (call.Name != "ListObjectsV2")
                return false;
            context.Response.ContentType = "application/xml";
            await context.Response.WriteAsync("<ListBucketResult><Name>a");
            await context.Response.Body.FlushAsync();
            await goOn.Task;
            context.Abort();
            return true;
        };
        try
        {
            var probe = new FileStoreProbe(Contents, _engine.Services.GetRequiredService<DependencyHealth>());
            await probe.ProbeAsync(TimeSpan.FromSeconds(1)).WaitAsync(TimeSpan.FromSeconds(15));
            Outage.IsOn.ShouldBeTrue();
        }
        finally
        {
            goOn.SetResult();
        }
    }

    private IFileContents Contents => _engine.Services.GetRequiredService<IFileContents>();

    private TestEngine Engine(Dictionary<string, string?> changes)
    {
        var settings = _s3.Settings;
        foreach (var (key, value) in changes)
            settings[key] = value;
        return new TestEngine(_database.Address, time: _time, settings: settings);
    }

    private Task<FileRecord> CreateAsync(byte[] content) =>
        Files.CreateAsync("ann", "batch", "a.jsonl", new MemoryStream(content), long.MaxValue, default);

    private async Task<byte[]> ReadAsync(FileRecord file)
    {
        await using var stream = await Files.OpenReadAsync(file, default);
        using var copy = new MemoryStream();
        await stream.CopyToAsync(copy);
        return copy.ToArray();
    }

    private async Task<int> RowsAsync()
    {
        await using var db = _database.CreateContext();
        return await db.Files.CountAsync();
    }
}
