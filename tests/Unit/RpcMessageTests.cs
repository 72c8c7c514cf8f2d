extern alias grpc;

using Google.Protobuf;
using grpc::TaskQueue.Rpc.V1;
using Shouldly;
using TaskQueue.Api.Rpc;
using TaskQueue.Engine.Auth;
using TaskQueue.Http.Errors;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Messages are looked at before objects are made of them.</summary>
public sealed class RpcMessageTests
{
    private const int MiB = 1024 * 1024;

    private static readonly RpcRule One = new("one", Scope.None, 4 * MiB);
    private static readonly RpcRule List = new("list", Scope.None, 4 * MiB) { MaxFields = 1020, MaxEntryBytes = 1000 };

    [Fact]
    public void Many_small_entries_become_no_objects()
    {
        var message = new byte[4 * MiB];
        for (var i = 0; i < message.Length; i += 2)
            message[i] = 0x0A; // tasks, with a length of 0
        var before = GC.GetAllocatedBytesForCurrentThread();

        Refused(() => RpcMessages.Read(message, EnqueueManyRequest.Parser, List)).Message
            .ShouldBe("a message of this RPC must have at most 1020 fields");

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(MiB);
    }

    [Fact]
    public void An_entry_has_few_fields_and_bytes()
    {
        var (tags, logs) = (new NewTask(), new Report());
        tags.Tags.AddRange(Enumerable.Repeat("", 201));
        logs.Logs.AddRange(Enumerable.Repeat(new LogLine(), 201));
        var packed = new NewTask { Overwrite = { Enumerable.Repeat(OverwriteField.Payload, 201) } };
        foreach (var task in new[] { tags, packed })
        {
            var message = new EnqueueManyRequest { Tasks = { task } }.ToByteArray();
            Refused(() => RpcMessages.Read(message, EnqueueManyRequest.Parser, List)).Message
                .ShouldBe("an entry of tasks must have at most 200 fields");
        }

        Refused(() => RpcMessages.Read(new ReportRequest { Tasks = { logs } }.ToByteArray(), ReportRequest.Parser, List)).Message
            .ShouldBe("an entry of tasks must have at most 200 fields");
        var large = new EnqueueManyRequest { Tasks = { new NewTask { Name = new string('n', 1000) } } };
        var refusal = Refused(() => RpcMessages.Read(large.ToByteArray(), EnqueueManyRequest.Parser, List));
        (refusal.Status, refusal.Message).ShouldBe((413, "an entry of tasks must have at most 1000 bytes"));
        Refused(() => RpcMessages.Read(new byte[(4 * MiB) + 1], GetRequest.Parser, One)).Status.ShouldBe(413);
    }

    [Fact]
    public void What_a_request_may_have_is_read()
    {
        var task = new NewTask
        {
            Name = "a", Data = ByteString.CopyFromUtf8("1"), Queue = "q", Id = "i", Priority = Priority.High, ScheduledAt = new(),
            ExpiresAt = new(), MaxAttempts = 1, DedupeKey = "d", OrderingKey = "o", LeaseSeconds = 1, CallbackUrl = "c",
            Retry = new() { Intervals = new() { Seconds = { Enumerable.Repeat(1.0, 60) } } },
            Overwrite = { OverwriteField.Payload, OverwriteField.ScheduledAt, OverwriteField.ExpiresAt },
            Tags = { Enumerable.Range(0, 16).Select(i => $"{i}") },
        };
        var tasks = new EnqueueManyRequest { Tasks = { Enumerable.Repeat(task, 1000) } };
        var report = new Report { Id = "i", Attempt = 1, Logs = { Enumerable.Repeat(new LogLine { Level = LogLevel.Info }, 100) } };
        var reports = new ReportRequest { Tasks = { Enumerable.Repeat(report, 1000) } };
        var claim = new ClaimRequest { Queues = { Enumerable.Repeat("q", 100) }, Worker = "w", Info = new() { Host = "h" }, Credit = 1 };

        RpcMessages.Read(tasks.ToByteArray(), EnqueueManyRequest.Parser, List).ShouldBe(tasks);
        RpcMessages.Read(reports.ToByteArray(), ReportRequest.Parser, List).ShouldBe(reports);
        RpcMessages.Read(claim.ToByteArray(), ClaimRequest.Parser, One with { MaxFields = 120 }).ShouldBe(claim);
        RpcMessages.Read([], StoppedRequest.Parser, One).ShouldBe(new StoppedRequest());
    }

    [Fact]
    public void What_is_not_known_is_dropped_and_what_is_no_message_is_refused()
    {
        byte[] unknown = [0xFA, 0x01, 0x01, 0x78]; // field 31: a text
        RpcMessages.Read(unknown, GetRequest.Parser, One).CalculateSize().ShouldBe(0);
        foreach (var wrong in new byte[][] { [0x0A], [0x0A, 0x05], [0x0A, 0x05, 0x01], [0x00], [0x0A, 0x02, 0x0A, 0x05, 0x01], [0xFF, 0xFF] })
        {
            Refused(() => RpcMessages.Read(wrong, EnqueueManyRequest.Parser, List)).Message
                .ShouldStartWith("the request is not a message of this RPC");
        }
    }

    [Theory]
    [InlineData(" {\"a\": [1, 2]} ", "{\"a\": [1, 2]}")]
    [InlineData("1", "1")]
    [InlineData("\t\"x\"\n", "\"x\"")]
    [InlineData("null", "null")]
    [InlineData("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2}")]
    public void JSON_is_kept_as_it_is(string sent, string kept) =>
        RpcValues.Json(ByteString.CopyFromUtf8(sent), "data").ShouldBe(kept);

    [Theory]
    [InlineData("")]
    [InlineData(" ")]
    [InlineData("1 2")]
    [InlineData("{")]
    [InlineData("01")]
    [InlineData("[1,]")]
    public void What_is_no_JSON_is_refused(string sent) =>
        Refused(() => RpcValues.Json(ByteString.CopyFromUtf8(sent), "data")).Message.ShouldStartWith("data is not valid JSON");

    [Fact]
    public void JSON_is_not_deeper_than_over_HTTP()
    {
        static ByteString Nested(int depth) => ByteString.CopyFromUtf8(new string('[', depth) + new string(']', depth));
        RpcValues.Json(Nested(61), "data").Length.ShouldBe(122);
        Refused(() => RpcValues.Json(Nested(62), "data")).Message.ShouldContain("depth");
    }

    [Fact]
    public void JSON_of_many_values_becomes_no_objects()
    {
        var json = ByteString.CopyFromUtf8($"[{string.Join(',', Enumerable.Repeat('1', MiB))}]");
        var before = GC.GetAllocatedBytesForCurrentThread();

        var text = RpcValues.Json(json, "data");

        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan((2 * text.Length) + MiB);
    }

    private static ApiError Refused(Action read) => Should.Throw<ApiException>(read).Fault;
}
