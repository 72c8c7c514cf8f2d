using Microsoft.Extensions.Time.Testing;
using Shouldly;
using TaskQueue.Adapters.Moab;
using TaskQueue.Contracts;
using TaskQueue.Engine.Ids;
using Xunit;

namespace TaskQueue.Tests.Unit;

public sealed class MoabTaskIdTests
{
    private const int Samples = 20_000;

    [Theory]
    [InlineData(1UL, "tsk_BAAAAAAAAAA")]
    [InlineData(62UL, "tsk_eBAAAAAAAAA")]
    [InlineData(1000UL, "tsk_oPAAAAAAAAA")]
    [InlineData(ulong.MaxValue, "tsk_ffffffffffffP")]
    [InlineData(10528100306054280328UL, "tsk_ISfFsVup2QS")]
    public void Known_numbers_have_their_texts(ulong number, string text)
    {
        MoabTaskId.Format(MoabTaskId.ToGuid(number)).ShouldBe(text);
        MoabTaskId.Parse(text).ShouldBe(MoabTaskId.ToGuid(number));
    }

    [Fact]
    public void Random_numbers_round_trip_through_text_and_uuid_and_are_not_bella_ids()
    {
        var random = new Random(4711);
        for (var sample = 0; sample < Samples; sample++)
        {
            var number = Any(random);
            var id = MoabTaskId.ToGuid(number);

            id.Version.ShouldBe(8);
            (id.Variant & 0b1100).ShouldBe(0b1000);
            MoabTaskId.ToNumber(id).ShouldBe(number);
            MoabTaskId.Format(id).ShouldMatch("^tsk_[0-9a-zA-Z]{11,13}$");
            MoabTaskId.Parse(MoabTaskId.Format(id)).ShouldBe(id);
            NumberedTaskId.FromGuid(id).ShouldBeNull();
        }
    }

    [Fact]
    public void Ids_of_other_APIs_round_trip_through_text()
    {
        var bella = new NumberedTaskIds(TimeProvider.System);
        for (var sample = 0; sample < Samples; sample++)
        {
            foreach (var id in new[]
            {
                TaskId.New(TimeProvider.System), bella.New(1, 1, NumberedTaskMode.Callback).ToGuid(), Guid.NewGuid(),
            })
            {
                MoabTaskId.ToNumber(id).ShouldBeNull();
                MoabTaskId.Format(id).ShouldMatch("^tsk_[0-9a-zA-Z]{22,26}$");
                MoabTaskId.Parse(MoabTaskId.Format(id)).ShouldBe(id);
            }
        }

        foreach (var id in new[] { Guid.Empty, Guid.AllBitsSet })
            MoabTaskId.Parse(MoabTaskId.Format(id)).ShouldBe(id);
    }

    [Theory]
    [InlineData("")]
    [InlineData("tsk_")]
    [InlineData("BAAAAAAAAAA")]
    [InlineData("TSK_BAAAAAAAAAA")]
    [InlineData("tsk_BAAAAAAAAA")] // too short for 8 bytes
    [InlineData("tsk_BAAAAAAAAAAA")] // too long for 8, too short for 16
    [InlineData("tsk_BAAAAAAAAAA\n")]
    [InlineData(" tsk_BAAAAAAAAAA")]
    [InlineData("tsk_BAAAAAAAAA-")]
    [InlineData("tsk_BAAAAAAAAAé")]
    [InlineData("tsk_BAAAAAAAAA9")] // more than 64 bits
    [InlineData("tsk_ffffffffffff9")]
    [InlineData("tsk_BAAAAAAAAAABAAAAAAAAAABAAAAAAAAAA")] // 33 letters: an older scheme
    [InlineData("018f4e9e-0000-4000-8000-000000000000")]
    public void Invalid_ids_are_null(string text) => MoabTaskId.Parse(text).ShouldBeNull();

    [Fact]
    public void The_long_form_of_an_own_id_is_not_an_id()
    {
        var random = new Random(4712);
        for (var sample = 0; sample < Samples; sample++)
        {
            var bytes = new byte[16];
            MoabTaskId.ToGuid(Any(random)).TryWriteBytes(bytes, bigEndian: true, out _);
            MoabTaskId.Parse("tsk_" + MoabBase62.Encode(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes), 128))
                .ShouldBeNull();
        }
    }

    [Fact]
    public void Every_parsed_text_is_shown_unchanged()
    {
        const string Letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        var random = new Random(4713);
        var read = 0;
        for (var sample = 0; sample < Samples * 5; sample++)
        {
            var text = "tsk_" + new string(random.GetItems<char>(Letters, random.Next(10, 14)));
            if (MoabTaskId.Parse(text) is not { } id)
                continue;
            MoabTaskId.Format(id).ShouldBe(text);
            read++;
        }

        read.ShouldBeGreaterThan(100);
    }

    [Fact]
    public void New_ids_increase_while_the_clock_stands_or_goes_back_and_the_instance_is_redrawn()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(56));
        var ids = new MoabTaskIds(clock);
        var all = new List<Guid>();
        for (var i = 0; i < 5000; i++)
        {
            all.Add(ids.New());
            if (i % 100 == 0)
                ids.DrawInstance();
            if (i % 250 == 0)
                clock.AdjustTime(clock.GetUtcNow().AddMilliseconds(i % 500 == 0 ? 3 : -2));
        }

        all.ShouldBe(all.Order());
        all.Distinct().Count().ShouldBe(all.Count);
        all.Select(id => MoabTaskId.ToNumber(id)!.Value).ShouldBe(all.Select(id => MoabTaskId.ToNumber(id)!.Value).Order());
        (MoabTaskId.ToNumber(all[0])!.Value >> 22).ShouldBe((ulong)DateTimeOffset.UnixEpoch.AddYears(56).ToUnixTimeMilliseconds());
    }

    [Fact]
    public void Own_ids_sort_by_time_among_those_of_other_APIs()
    {
        var clock = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(57));
        var ids = new MoabTaskIds(clock);
        var mixed = new List<Guid>();
        for (var i = 0; i < 100; i++)
        {
            mixed.Add(ids.New());
            clock.Advance(TimeSpan.FromMilliseconds(1));
            mixed.Add(OfAnotherApi(clock.GetUtcNow()));
            clock.Advance(TimeSpan.FromMilliseconds(1));
        }

        mixed.ShouldBe(mixed.Order());
    }

    /// <summary>48 bits of Unix milliseconds in front, as <c>TaskId</c> makes them; that has one counter for the whole process.</summary>
    private static Guid OfAnotherApi(DateTimeOffset at)
    {
        var bytes = Guid.NewGuid().ToByteArray(bigEndian: true);
        for (var i = 0; i < 6; i++)
            bytes[i] = (byte)(at.ToUnixTimeMilliseconds() >> (40 - (8 * i)));
        return new Guid(bytes, bigEndian: true);
    }

    private static ulong Any(Random random)
    {
        Span<byte> bytes = stackalloc byte[8];
        random.NextBytes(bytes);
        return BitConverter.ToUInt64(bytes) >> random.Next(64);
    }
}
