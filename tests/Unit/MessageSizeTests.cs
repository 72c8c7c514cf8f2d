using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.Extensions.Options;
using Shouldly;
using TaskQueue.Client;
using TaskQueue.Contracts;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Sizes of messages of the package for RabbitMQ.</summary>
public sealed class MessageSizeTests
{
    private const int Max = 100_000;

    /// <summary>As MassTransit writes.</summary>
    private static readonly JsonSerializerOptions Style = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Theory]
    [InlineData("")]
    [InlineData("plain text, with (signs) and {braces}!")]
    [InlineData("\"quoted\" <b>&amp;</b> 'it`s' + \\ \n \t \u0001")]
    [InlineData("äöü 日本語 😀 \ud800")]
    public void A_text_never_has_more_bytes_than_said(string text)
    {
        MessageSize.Of(text).ShouldBeGreaterThanOrEqualTo(JsonSerializer.SerializeToUtf8Bytes(text).Length - 2);
        var many = string.Concat(Enumerable.Repeat(text, 500));
        foreach (var measured in new[] { text, many, "x" + many })
            MessageSize.Exactly(measured).ShouldBe(JsonSerializer.SerializeToUtf8Bytes(measured, Style).Length - 2);
    }

    [Fact]
    public void A_result_that_fits_once_it_is_measured_is_sent()
    {
        var quotes = new string('"', 3_000_000);
        var outcome = new AttemptOutcome(Guid.NewGuid(), 1, quotes);
        MessageSize.Fit(outcome, MessageSize.Default).ShouldBeSameAs(outcome);
        MessageSize.Exactly(new SubmittedTask(Guid.NewGuid(), "q", quotes)).ShouldBeLessThan(MessageSize.Default - MessageSize.Envelope);

        MessageSize.Fit(outcome, 5_000_000).Error.ShouldNotBeNull().ShouldContain("bytes");
    }

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

    [Theory]
    [InlineData(65_535)]
    [InlineData(536_870_913)]
    public void The_limit_of_a_worker_is_in_its_range(int bytes)
    {
        var options = new TaskQueueWorkerOptions { MaxMessageBytes = bytes };
        options.Queues.Add("q");
        Should.Throw<OptionsValidationException>(() => options.Validate()).Message.ShouldContain("MaxMessageBytes");
    }

    [Fact]
    public void A_list_is_split_into_messages_that_fit()
    {
        long[] sizes = [50_000, 30_000, 30_000, 200_000, 10_000];

        MessageSize.Split(sizes, s => s, Max).Select(m => m.ToArray()).ShouldBe([[50_000, 30_000], [30_000], [200_000], [10_000]]);
    }
}
