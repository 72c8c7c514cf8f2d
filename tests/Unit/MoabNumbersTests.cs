using Google.Protobuf;
using Shouldly;
using TaskQueue.Adapters.Moab;
using TaskQueue.Adapters.Moab.Rpc;
using TaskQueue.Http.Errors;
using Xunit;
using V0 = TaskQueue.Moab.V0;
using V0First = TaskQueue.Moab.V0First;

namespace TaskQueue.Tests.Unit;

/// <summary>Which field numbers a request of v0 has.</summary>
public sealed class MoabNumbersTests
{
    private static readonly V0.EnqueueRequestEntry[] Present =
    [
        new() { RetryStrategy = new() },
        new() { RetryStrategy = new() { RetryIntervalsInSeconds = { 1, 900 } } },
        new() { OverwriteOnDuplicate = { V0.EnqueueRequestEntry.Types.OverwriteOnDuplicate.ExpiresAt } },
        new() { ThreadId = "T" },
        new() { ThreadId = "\u0001T" },
        new() { RetryStrategy = new(), ThreadId = "T",
            OverwriteOnDuplicate = { V0.EnqueueRequestEntry.Types.OverwriteOnDuplicate.Payload } },
    ];

    private static readonly V0First.EnqueueRequestEntry[] First =
    [
        new() { KeepaliveTimeoutInSeconds = 5 },
        new() { RetryStrategy = new() },
        new() { RetryStrategy = new() { RetryIntervalsInSeconds = { 1, 2, 3 } } },
        new() { OverwriteOnDuplicate = { V0First.EnqueueRequestEntry.Types.OverwriteOnDuplicate.Payload,
            V0First.EnqueueRequestEntry.Types.OverwriteOnDuplicate.ScheduledAt } },
        new() { ThreadId = "T" },
        new() { ThreadId = "T", RetryStrategy = new() },
    ];

    [Fact]
    public void An_entry_tells_its_numbers_by_each_field_that_moved()
    {
        foreach (var entry in Present)
            Numbers.OfEntry(entry.ToByteString()).ShouldBe(MoabNumbering.Present, $"{entry}");
        foreach (var entry in First)
            Numbers.OfEntry(entry.ToByteString()).ShouldBe(MoabNumbering.First, $"{entry}");
        var neither = new V0.EnqueueRequestEntry { Payload = ByteString.CopyFromUtf8("p"), ScheduledAt = 1, DedupeKey = "k" };
        Numbers.OfEntry(neither.ToByteString()).ShouldBeNull();
        Numbers.OfEntry(ByteString.Empty).ShouldBeNull();
    }

    [Fact]
    public void A_schedule_tells_its_numbers_too()
    {
        Numbers.OfSchedule(new V0.CreateScheduleRequest { Timezone = "UTC" }.ToByteArray()).ShouldBeNull();
        Numbers.OfSchedule(new V0.UpdateScheduleRequest { Timezone = "UTC", ExpectedVersion = 3 }.ToByteArray())
            .ShouldBe(MoabNumbering.Present);
        Numbers.OfSchedule(new V0.CreateScheduleRequest { RetryStrategy = new(), Timezone = "UTC" }.ToByteArray())
            .ShouldBe(MoabNumbering.Present);
        foreach (var first in new V0First.UpdateScheduleRequest[]
        {
            new() { Timezone = "UTC" }, new() { Timezone = "UTC", RetryStrategy = new() }, new() { KeepaliveTimeoutInSeconds = 5 },
            new() { ExpectedVersion = 1 },
        })
            Numbers.OfSchedule(first.ToByteArray()).ShouldBe(MoabNumbering.First, $"{first}");
    }

    [Fact]
    public void Fields_of_both_are_refused()
    {
        var both = new V0.EnqueueRequestEntry { ThreadId = "T" }.ToByteArray()
            .Concat(new V0First.EnqueueRequestEntry { ThreadId = "T" }.ToByteArray()).ToArray();

        Should.Throw<ApiException>(() => Numbers.OfEntry(ByteString.CopyFrom(both))).Fault.Status.ShouldBe(400);
        Should.Throw<InvalidProtocolBufferException>(() => Numbers.OfEntry(ByteString.CopyFrom([0x3A, 0x05, 0x01])));
    }

    [Theory]
    [InlineData("plain text", "plain text")]
    [InlineData("100 %", "100 %25")]
    [InlineData("é\n", "%C3%A9%0A")]
    public void The_text_of_a_status_is_ASCII(string text, string escaped) => GrpcErrors.Escape(text).ShouldBe(escaped);
}
