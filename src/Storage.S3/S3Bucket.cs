using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Amazon.S3;
using Amazon.S3.Model;

namespace TaskQueue.Storage.S3;

/// <summary>
/// The calls of the API that file contents need, by name of a content. Each ends: the SDK bounds each try of a request, and this class all
/// tries with their pauses and the reading of the answer.
/// </summary>
internal sealed partial class S3Bucket : IDisposable
{
    /// <summary>The SDK's longest pause between two tries.</summary>
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(20);

    private readonly AmazonS3Client _client;
    private readonly S3Faults _faults;
    private readonly string _bucket, _prefix;

    public S3Bucket(S3Options options)
    {
        _client = S3Client.Create(options);
        _faults = new S3Faults(options);
        (_bucket, _prefix, Options) = (options.Bucket!, options.KeyPrefix, options);
    }

    public S3Options Options { get; }

    public void Dispose() => _client.Dispose();

    /// <summary>Stores a whole content.</summary>
    public Task PutAsync(string name, ArraySegment<byte> content, CancellationToken cancellationToken) =>
        RunAsync(async token =>
        {
            using var body = StreamOf(content);
            return await _client.PutObjectAsync(new PutObjectRequest
            {
                BucketName = _bucket,
                Key = _prefix + name,
                InputStream = body,
                AutoCloseStream = false,
                ContentType = "application/octet-stream",
                UseChunkEncoding = false,
                DisableDefaultChecksumValidation = true, // an ETag is no MD5 everywhere
            }, token);
        }, content.Count, cancellationToken);

    /// <returns>The id of the upload.</returns>
    public async Task<string> BeginAsync(string name, CancellationToken cancellationToken) =>
        (await RunAsync(token => _client.InitiateMultipartUploadAsync(
            new InitiateMultipartUploadRequest { BucketName = _bucket, Key = _prefix + name, ContentType = "application/octet-stream" },
            token), cancellationToken)).UploadId;

    public async Task<PartETag> SendPartAsync(string name, string upload, int number, ArraySegment<byte> part,
        CancellationToken cancellationToken)
    {
        var answer = await RunAsync(async token =>
        {
            using var body = StreamOf(part);
            return await _client.UploadPartAsync(new UploadPartRequest
            {
                BucketName = _bucket,
                Key = _prefix + name,
                UploadId = upload,
                PartNumber = number,
                PartSize = part.Count,
                InputStream = body,
                UseChunkEncoding = false,
                DisableDefaultChecksumValidation = true,
            }, token);
        }, part.Count, cancellationToken);
        return new PartETag(number, answer.ETag);
    }

    /// <summary>Makes the parts a content. A repetition finds no upload if the first request took effect and its answer was lost.</summary>
    public Task CompleteAsync(string name, string upload, List<PartETag> parts, long length) =>
        RunAsync(async token =>
        {
            try
            {
                await _client.CompleteMultipartUploadAsync(new CompleteMultipartUploadRequest
                {
                    BucketName = _bucket, Key = _prefix + name, UploadId = upload, PartETags = parts,
                }, token);
            }
            catch (AmazonS3Exception gone) when (gone.ErrorCode == "NoSuchUpload")
            {
                var known = await _client.GetObjectMetadataAsync(
                    new GetObjectMetadataRequest { BucketName = _bucket, Key = _prefix + name }, token);
                if (known.ContentLength != length)
                    throw;
            }

            return true;
        }, CancellationToken.None);

    /// <summary>Removes the parts of an upload; one that is gone counts as removed.</summary>
    public Task AbortAsync(string name, string upload, CancellationToken cancellationToken) =>
        RunAsync(async token =>
        {
            try
            {
                await _client.AbortMultipartUploadAsync(
                    new AbortMultipartUploadRequest { BucketName = _bucket, Key = _prefix + name, UploadId = upload }, token);
            }
            catch (AmazonS3Exception gone) when (gone.ErrorCode == "NoSuchUpload")
            {
            }

            return true;
        }, cancellationToken);

    /// <summary>Opens a content at an offset; null if it ends there or before.</summary>
    /// <param name="name">Name of the content.</param>
    /// <param name="from">The first byte.</param>
    /// <param name="to">The last byte; null is the end.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    /// <exception cref="FileNotFoundException">There is none.</exception>
    public async Task<GetObjectResponse?> OpenAsync(string name, long from, long? to, CancellationToken cancellationToken)
    {
        var range = new ByteRange(string.Create(CultureInfo.InvariantCulture, $"bytes={from}-{to}"));
        try
        {
            // Always a range: of a whole content the SDK takes the ETag for an MD5, which it is not on every server.
            return await RunAsync(token => _client.GetObjectAsync(
                new GetObjectRequest { BucketName = _bucket, Key = _prefix + name, ByteRange = range }, token), cancellationToken);
        }
        catch (IOException fault) when (fault.InnerException is AmazonS3Exception
        {
            StatusCode: HttpStatusCode.RequestedRangeNotSatisfiable,
        })
        {
            return null;
        }
    }

    /// <summary>Removes a content, if any.</summary>
    public Task DeleteAsync(string name, CancellationToken cancellationToken) =>
        RunAsync(async token =>
        {
            try
            {
                await _client.DeleteObjectAsync(new DeleteObjectRequest { BucketName = _bucket, Key = _prefix + name }, token);
            }
            catch (AmazonS3Exception gone) when (gone.ErrorCode == "NoSuchKey")
            {
            }

            return true;
        }, cancellationToken);

    /// <summary>A page of contents whose names begin with a text.</summary>
    /// <param name="begin">The text.</param>
    /// <param name="after">The continuation of the previous page; null begins.</param>
    /// <param name="max">Maximum number of contents.</param>
    /// <param name="cancellationToken">Cancels the request.</param>
    public async Task<(List<(string Name, DateTime At)> Page, string? Next)> ListAsync(string begin, string? after, int max,
        CancellationToken cancellationToken)
    {
        var answer = await RunAsync(token => _client.ListObjectsV2Async(
            new ListObjectsV2Request { BucketName = _bucket, Prefix = _prefix + begin, ContinuationToken = after, MaxKeys = max }, token),
            cancellationToken);
        return ([.. (answer.S3Objects ?? []).Where(o => IsOurs(o.Key)).Select(o => (NameOf(o.Key), TimeOf(o.LastModified)))],
            answer.IsTruncated == true ? answer.NextContinuationToken : null);
    }

    /// <summary>A page of uploads that did not end, of contents whose names begin with a text.</summary>
    public async Task<(List<(string Name, string Upload, DateTime At)> Page, (string Key, string Upload)? Next)> ListUploadsAsync(
        string begin, (string Key, string Upload)? after)
    {
        var answer = await RunAsync(token => _client.ListMultipartUploadsAsync(new ListMultipartUploadsRequest
        {
            BucketName = _bucket, Prefix = _prefix + begin, KeyMarker = after?.Key, UploadIdMarker = after?.Upload,
        }, token), CancellationToken.None);
        return ([.. (answer.MultipartUploads ?? []).Where(u => IsOurs(u.Key))
                .Select(u => (NameOf(u.Key), u.UploadId, TimeOf(u.Initiated)))],
            answer.IsTruncated == true ? (answer.NextKeyMarker, answer.NextUploadIdMarker) : null);
    }

    /// <summary>The exception for a fault of an open answer; null if it is the caller's.</summary>
    public Exception? Translate(Exception fault, CancellationToken cancellationToken) => _faults.Translate(fault, cancellationToken);

    private Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken) =>
        RunAsync(call, 0, cancellationToken);

    private async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> call, int bytes, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter((Options.TimeoutOf(bytes) + LongestPause) * (Options.Retries + 1));
        try
        {
            var answer = call(patience.Token);
            try
            {
                return await answer.WaitAsync(patience.Token); // the SDK reads the text of an answer without a token
            }
            catch (OperationCanceledException) when (!answer.IsCompleted)
            {
                _ = ForgetAsync(answer);
                throw;
            }
        }
        catch (Exception fault) when (_faults.Translate(fault, cancellationToken) is not null)
        {
            throw _faults.Translate(fault, cancellationToken)!;
        }
    }

    /// <summary>Releases an answer that comes too late.</summary>
    private static async Task ForgetAsync<T>(Task<T> late)
    {
        try
        {
            (await late as IDisposable)?.Dispose();
        }
#pragma warning disable CA1031 // nobody waits for it
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }

    /// <summary>
    /// Whether a key has the exact form of an id, or of a content of a check: in a bucket without a prefix there may be others that begin
    /// like them, and what is listed may be removed.
    /// </summary>
    private bool IsOurs(string key) => key.StartsWith(_prefix, StringComparison.Ordinal) && OurName().IsMatch(NameOf(key));

    [GeneratedRegex(@"\A" + S3FileContents.Begin + @"([0-9]{22}-[0-9]{9}|probe-[0-9a-f]{32})\z", RegexOptions.ExplicitCapture,
        matchTimeoutMilliseconds: 1000)]
    private static partial Regex OurName();

    private string NameOf(string key) => key[_prefix.Length..];

    /// <summary>One without a time is never old.</summary>
    private static DateTime TimeOf(DateTime? at) => at?.ToUniversalTime() ?? DateTime.MaxValue;

    private static MemoryStream StreamOf(ArraySegment<byte> content) =>
        new(content.Array!, content.Offset, content.Count, writable: false);
}
