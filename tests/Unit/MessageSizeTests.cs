using System.Text.Json;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Sizes of messages of the package for RabbitMQ.</summary>
public sealed class MessageSizeTests
{
    private const int Max = 100_000;

    [Theory]
    [InlineData("")]
    [InlineData("plain text, with (signs) and {braces}!")]
    [InlineData("\"quoted\" <b>&amp;</b> 'it`s' + \\ \n \t \u0001")]
    [InlineData("äöü 日本語 😀 \ud800")]
    public void A_text_never_has_more_bytes_than_said(string text) =>
        MessageSize.Of(text).ShouldBeGreaterThanOrEqualTo(JsonSerializer.SerializeToUtf8Bytes(text).Length - 2);

    [Fact]
    public void What_is_left_of_an_outcome_that_is_too_large_fits_into_a_message()
    {
        var (large, line) = (new string('ä', Max), new AttemptLogLine(default, "info", new string('x', Max)));
        var fine = new AttemptOutcome(Guid.NewGuid(), 1, "{}") { Logs = [line with { Message = "x" }] };
        MessageSize.Fit(fine, Max).ShouldBeSameAs(fine);

        MessageSize.Fit(fine with { Logs = [line] }, Max).ShouldBe(fine with { Logs = null });
        var failed = new AttemptOutcome(Guid.NewGuid(), 1, Error: "e", Retryable: true) { Stack = large };
        MessageSize.Fit(failed, Max).ShouldBe(failed with { Stack = null });

        var lost = MessageSize.Fit(fine with { Result = large }, Max);
        (lost.Result, lost.Retryable).ShouldBe((null, false));
        lost.Error.ShouldNotBeNull().ShouldContain("bytes");
        var cut = MessageSize.Fit(failed with { Error = large }, Max);
        (cut.Error!.Length is > 1000 and < 5000, cut.Retryable).ShouldBe((true, true));
        foreach (var outcome in new[] { lost, cut })
            MessageSize.Of(outcome).ShouldBeLessThan(Max - MessageSize.Envelope);
    }

    [Fact]
    public void A_list_is_split_into_messages_that_fit()
    {
        long[] sizes = [50_000, 30_000, 30_000, 200_000, 10_000];

        MessageSize.Split(sizes, s => s, Max).Select(m => m.ToArray()).ShouldBe([[50_000, 30_000], [30_000], [200_000], [10_000]]);
    }
}
