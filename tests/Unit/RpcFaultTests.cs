extern alias grpc;

using Google.Protobuf;
using grpc::TaskQueue.Rpc.V1;
using Grpc.Core;
using Shouldly;
using TaskQueue.Api.Rpc;
using TaskQueue.Client;
using TaskQueue.Http.Errors;
using Xunit;

namespace TaskQueue.Tests.Unit;

/// <summary>Errors of the server as statuses of gRPC, and what the client makes of them.</summary>
public sealed class RpcFaultTests
{
    private static readonly Uri Address = new("http://queue.example/");

    [Theory]
    [InlineData(400, "invalid_task", StatusCode.InvalidArgument)]
    [InlineData(401, "unauthorized", StatusCode.Unauthenticated)]
    [InlineData(403, "forbidden", StatusCode.PermissionDenied)]
    [InlineData(404, "not_found", StatusCode.NotFound)]
    [InlineData(409, "push_queue", StatusCode.FailedPrecondition)]
    [InlineData(409, "id_taken", StatusCode.AlreadyExists)]
    [InlineData(413, "too_large", StatusCode.ResourceExhausted)]
    [InlineData(429, "rate_limited", StatusCode.ResourceExhausted)]
    [InlineData(500, "internal_error", StatusCode.Internal)]
    [InlineData(503, "overloaded", StatusCode.Unavailable)]
    public void An_error_arrives_as_it_would_over_HTTP(int status, string code, StatusCode rpc)
    {
        var sent = RpcErrors.ToException(new ApiError(status, code, "what to change") { RetryAfter = TimeSpan.FromSeconds(7) });
        var read = RpcFaults.ToException(sent, Address);

        sent.StatusCode.ShouldBe(rpc);
        (read.Status, read.Code, read.Message, read.RetryAfter).ShouldBe((status, code, "what to change", TimeSpan.FromSeconds(7)));
    }

    [Theory]
    [InlineData(StatusCode.Unavailable, 0, true)]
    [InlineData(StatusCode.Internal, 0, true)]
    [InlineData(StatusCode.Unimplemented, 404, false)]
    [InlineData(StatusCode.Unauthenticated, 401, false)]
    [InlineData(StatusCode.ResourceExhausted, 429, true)]
    public void What_a_proxy_says_is_understood_too(StatusCode rpc, int status, bool isTransient)
    {
        var trailers = new Metadata { { "grpc-status-details-bin", new byte[] { 1, 2, 3 } } };
        var read = RpcFaults.ToException(new RpcException(new Status(rpc, "no"), trailers), Address);

        (read.Status, read.IsTransient, read.Code).ShouldBe((status, isTransient, null));
    }

    [Fact]
    public void An_invalid_entry_among_valid_ones_is_refused_as_if_it_had_been_sent_alone()
    {
        var answers = new Answers { Codes = { AnswerCode.Ok, AnswerCode.Invalid }, Errors = { [1] = "what to change" } };
        var read = WorkerWire.ToAnswers(answers, [(Guid.NewGuid(), 1), (Guid.NewGuid(), 2)]);

        read.Tasks[0].ToRefusal().ShouldBeNull();
        var refusal = read.Tasks[1].ToRefusal().ShouldNotBeNull();
        (refusal.Status, refusal.Code, refusal.Message).ShouldBe((400, "invalid_request", "what to change"));
        read.Tasks[1].IsGone.ShouldBeFalse();
    }

    [Fact]
    public void The_details_are_those_of_google_rpc()
    {
        var sent = RpcErrors.ToException(new ApiError(429, "quota_exceeded", "no", new Dictionary<string, string> { ["limit"] = "5" }));

        var status = ErrorStatus.Parser.ParseFrom(sent.Trailers.GetValueBytes("grpc-status-details-bin"));
        status.Details[0].TypeUrl.ShouldBe("type.googleapis.com/google.rpc.ErrorInfo");
        var info = ErrorInfo.Parser.ParseFrom(status.Details[0].Value);
        (info.Reason, info.Domain).ShouldBe(("quota_exceeded", "taskqueue"));
        (info.Metadata["limit"], info.Metadata["http_status"]).ShouldBe(("5", "429"));
    }

    [Fact]
    public void A_long_text_is_cut_between_characters()
    {
        var sent = RpcErrors.ToException(new ApiError(404, "not_found", new string('x', 299) + "\ud83d\ude00" + new string('y', 50_000)));

        sent.Status.Detail.ShouldBe(new string('x', 299) + "…");
        ErrorStatus.Parser.ParseFrom(sent.Trailers.GetValueBytes("grpc-status-details-bin")).Message.ShouldBe(sent.Status.Detail);
        RpcFaults.ToException(sent, Address).Code.ShouldBe("not_found");
    }

    [Fact]
    public void Values_that_are_unspecified_or_unknown_have_no_word()
    {
        RpcValues.Word((Level)0).ShouldBeNull();
        RpcValues.Word((Level)9).ShouldBeNull();
        RpcValues.Word(Level.VeryHigh).ShouldBe("very_high");
        RpcValues.Value<Level>("very_high").ShouldBe(Level.VeryHigh);
        RpcValues.Value<Level>("other").ShouldBe(Level.Unspecified);
        Should.Throw<ApiException>(() => RpcValues.Json(ByteString.CopyFromUtf8("{} {}"), "data")).Message
            .ShouldStartWith("data is not valid JSON");
    }
}

internal enum Level
{
    Unspecified,
    VeryHigh,
}
