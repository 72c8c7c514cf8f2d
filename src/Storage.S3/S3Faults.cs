using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Amazon.Runtime;
using TaskQueue.Engine;

namespace TaskQueue.Storage.S3;

/// <summary>
/// Turns the exceptions of the SDK into those that a storage of contents throws. Messages name the server and its error code; they have no
/// key, and of the answer no more than its message.
/// </summary>
internal sealed class S3Faults(S3Options options)
{
    private const string Section = "TaskQueue:Files:S3";

    /// <summary>Statuses that a repetition does not change.</summary>
    private static readonly HttpStatusCode[] Final =
    [
        HttpStatusCode.MovedPermanently, HttpStatusCode.TemporaryRedirect, HttpStatusCode.BadRequest, HttpStatusCode.Unauthorized,
        HttpStatusCode.Forbidden, HttpStatusCode.NotFound, HttpStatusCode.MethodNotAllowed, HttpStatusCode.NotImplemented,
    ];

    private readonly string _where =
        $"bucket {options.Bucket} at {(string.IsNullOrEmpty(options.Endpoint) ? options.Region : options.Endpoint)}";

    /// <summary>The exception that a caller gets; null if it is the given one, for example because the caller cancelled.</summary>
    public Exception? Translate(Exception fault, CancellationToken cancellationToken) =>
        fault switch
        {
            FileNotFoundException => null, // an assembly
            OperationCanceledException when cancellationToken.IsCancellationRequested => null,
            OperationCanceledException or TimeoutException => new IOException($"{_where} does not answer in time", fault),
            AmazonServiceException { ErrorCode: "NoSuchKey" } => new FileNotFoundException($"{_where} has no such content", fault),
            AmazonServiceException answer when Final.Contains(answer.StatusCode) =>
                new FileStoreRefusedException($"{_where} refuses: {Answer(answer)} ({Hint(answer)})", fault),
            AmazonServiceException answer => new IOException($"{_where} fails: {Answer(answer)}", fault),
            AmazonClientException when IsOfCredentials(fault) => new FileStoreRefusedException(
                $"there are no credentials for {_where}: set {Section}:AccessKey and {Section}:SecretKey, the variables AWS_ACCESS_KEY_ID "
                    + "and AWS_SECRET_ACCESS_KEY, or give the process a role", fault),
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError } when Chain(fault).Any(IsUnknownHost) =>
                new FileStoreRefusedException($"{_where} has no address: {OneLine(fault)} (check {Section}:Endpoint)", fault),
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError }
                when Chain(fault).Any(f => f is AuthenticationException) => new FileStoreRefusedException(
                    $"{_where} has no trusted TLS: {OneLine(fault.GetBaseException())} (check {Section}:Endpoint)", fault),
            AuthenticationException => new FileStoreRefusedException($"{_where} has no trusted TLS: {OneLine(fault)}", fault),
            HttpRequestException or AmazonClientException or IOException or ObjectDisposedException or SocketException =>
                new IOException($"{_where} cannot be used: {OneLine(fault)}", fault),
            _ => null,
        };

    private static string Answer(AmazonServiceException answer) =>
        $"{(string.IsNullOrEmpty(answer.ErrorCode) ? $"{(int)answer.StatusCode}" : answer.ErrorCode)}: {OneLine(answer)}";

    private static string Hint(AmazonServiceException answer) =>
        answer.ErrorCode switch
        {
            "NoSuchBucket" => $"create the bucket, or correct {Section}:Bucket",
            "InvalidAccessKeyId" or "SignatureDoesNotMatch" or "InvalidToken" or "ExpiredToken" or "TokenRefreshRequired" =>
                $"check {Section}:AccessKey and {Section}:SecretKey, or the credentials of the environment",
            "AccessDenied" or "Forbidden" or "AllAccessDisabled" =>
                "the key needs s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket, s3:AbortMultipartUpload and "
                    + "s3:ListBucketMultipartUploads",
            "PermanentRedirect" or "TemporaryRedirect" or "AuthorizationHeaderMalformed" or "IllegalLocationConstraintException" =>
                $"check {Section}:Region",
            _ => $"check {Section}:Endpoint, {Section}:Region and {Section}:PathStyle",
        };

    /// <summary>The SDK has no type of its own for it.</summary>
    private static bool IsOfCredentials(Exception fault) =>
        fault.Message.Contains("credential", StringComparison.OrdinalIgnoreCase)
        || fault.Message.Contains("identity", StringComparison.OrdinalIgnoreCase)
        || fault.Message.Contains("IMDS", StringComparison.OrdinalIgnoreCase);

    /// <summary>A name server says that there is no such name. One that does not answer may do so soon.</summary>
    private static bool IsUnknownHost(Exception fault) => fault is SocketException { SocketErrorCode: SocketError.HostNotFound };

    private static IEnumerable<Exception> Chain(Exception fault)
    {
        for (var link = fault; link is not null; link = link.InnerException)
            yield return link;
    }

    private static string OneLine(Exception fault) => fault.Message.ReplaceLineEndings(" ");
}
