using System.Globalization;
using System.Security;
using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;
using Microsoft.AspNetCore.Http;

namespace TaskQueue.Tests.Servers;

/// <summary>The calls.</summary>
internal sealed partial class TestS3
{
    private const string Missing = "it does not exist";

    private DateTime Now => Time.GetUtcNow().UtcDateTime;

    private async Task AnswerAsync(HttpContext context, S3Call call, byte[] body)
    {
        var (query, response) = (context.Request.Query, context.Response);
        string? xml = null;
        switch (call.Name)
        {
            case "PutObject":
                var made = new S3Object(body, TagOf(body), Now);
                Objects[call.Key] = made;
                response.Headers.ETag = made.Tag;
                break;
            case "DeleteObject":
                Objects.TryRemove(call.Key, out _);
                response.StatusCode = 204;
                break;
            case "GetObject" or "HeadObject":
                await SendAsync(context, call);
                return;
            case "CreateMultipartUpload":
                var id = Convert.ToHexString(RandomNumberGenerator.GetBytes(16));
                Uploads[id] = new S3Upload(call.Key, Now);
                xml = $"<InitiateMultipartUploadResult><Bucket>{Bucket}</Bucket><Key>{SecurityElement.Escape(call.Key)}</Key>"
                    + $"<UploadId>{id}</UploadId></InitiateMultipartUploadResult>";
                break;
            case "ListObjectsV2":
                xml = ListObjects(query);
                break;
            case "ListMultipartUploads" when ListsUploads:
                xml = ListUploads(query);
                break;
            case "UploadPart" or "CompleteMultipartUpload" or "AbortMultipartUpload":
                if (!Uploads.TryGetValue(query["uploadId"]!, out var upload) || upload.Key != call.Key)
                {
                    await FailAsync(context, 404, "NoSuchUpload", Missing);
                    return;
                }

                if (call.Name == "UploadPart")
                {
                    response.Headers.ETag = (upload.Parts[call.Part] = new S3Object(body, TagOf(body), Now)).Tag;
                    break;
                }

                if (call.Name == "CompleteMultipartUpload" && Complete(upload, body) is { } problem)
                {
                    await FailAsync(context, 400, problem, "The parts are refused.");
                    return;
                }

                Uploads.TryRemove(query["uploadId"]!, out _);
                if (call.Name == "AbortMultipartUpload")
                    response.StatusCode = 204;
                else
                    xml = $"<CompleteMultipartUploadResult><Bucket>{Bucket}</Bucket><Key>{SecurityElement.Escape(call.Key)}</Key>"
                        + $"<ETag>{SecurityElement.Escape(Objects[call.Key].Tag)}</ETag></CompleteMultipartUploadResult>";
                break;
            default:
                await FailAsync(context, 501, "NotImplemented", "A header you provided implies functionality that is not implemented");
                return;
        }

        if (Lost is { } lost && await lost(context, call))
            return;
        if (xml is not null)
        {
            response.ContentType = "application/xml";
            await response.WriteAsync(xml);
        }
    }

    /// <returns>The error code; null if the parts are an object now.</returns>
    private string? Complete(S3Upload upload, byte[] body)
    {
        var wanted = XDocument.Parse(Encoding.UTF8.GetString(body)).Descendants().Where(e => e.Name.LocalName == "Part")
            .Select(p => (Number: int.Parse(Of(p, "PartNumber"), CultureInfo.InvariantCulture), Tag: Of(p, "ETag").Trim('"'))).ToList();
        if (wanted.Count == 0)
            return "MalformedXML";
        if (!wanted.Select(p => p.Number).SequenceEqual(wanted.Select(p => p.Number).Order().Distinct()) || wanted[0].Number < 1
            || wanted[^1].Number > 10_000)
            return "InvalidPartOrder";
        if (wanted.Any(p => !upload.Parts.TryGetValue(p.Number, out var part) || part.Tag.Trim('"') != p.Tag))
            return "InvalidPart";
        var parts = wanted.Select(p => upload.Parts[p.Number].Content).ToList();
        if (parts.SkipLast(1).Any(p => p.Length < MinPartBytes))
            return "EntityTooSmall";
        Objects[upload.Key] = new S3Object([.. parts.SelectMany(p => p)], $"\"{Guid.NewGuid():N}-{parts.Count}\"", Now);
        return null;

        static string Of(XElement part, string name) => part.Elements().Single(e => e.Name.LocalName == name).Value;
    }

    private async Task SendAsync(HttpContext context, S3Call call)
    {
        var response = context.Response;
        if (!Objects.TryGetValue(call.Key, out var found))
        {
            await FailAsync(context, 404, "NoSuchKey", Missing);
            return;
        }

        var (from, to) = (0L, found.Content.Length - 1L);
        if (context.Request.GetTypedHeaders().Range?.Ranges.Single() is { } range)
        {
            (from, to) = (range.From!.Value, Math.Min(range.To ?? to, to));
            if (from >= found.Content.Length)
            {
                await FailAsync(context, 416, "InvalidRange", "The requested range is not satisfiable");
                return;
            }

            response.StatusCode = 206;
            response.Headers.ContentRange = $"bytes {from}-{to}/{found.Content.Length}";
        }

        response.Headers.ETag = found.Tag;
        response.Headers.LastModified = found.At.ToString("R");
        response.ContentLength = to + 1 - from;
        if (Lost is { } lost && await lost(context, call))
            return;
        if (call.Name == "GetObject")
            await response.Body.WriteAsync(found.Content.AsMemory((int)from, (int)(to + 1 - from)));
    }

    private string ListObjects(IQueryCollection query)
    {
        var (prefix, after) = (query["prefix"].ToString(), query["continuation-token"].ToString());
        var max = Math.Min(PageSize, int.TryParse(query["max-keys"], out var asked) ? asked : 1000);
        var all = Objects.Where(o => o.Key.StartsWith(prefix, StringComparison.Ordinal)).OrderBy(o => o.Key, StringComparer.Ordinal)
            .SkipWhile(o => after.Length > 0 && string.CompareOrdinal(o.Key, after) <= 0).ToList();
        var text = new StringBuilder("<ListBucketResult>");
        foreach (var (key, found) in all.Take(max))
            text.Append(CultureInfo.InvariantCulture, $"<Contents><Key>{SecurityElement.Escape(key)}</Key>")
                .Append(CultureInfo.InvariantCulture, $"<LastModified>{found.At:yyyy-MM-ddTHH:mm:ss.fffZ}</LastModified>")
                .Append(CultureInfo.InvariantCulture, $"<Size>{found.Content.Length}</Size></Contents>");
        if (all.Count > max)
            text.Append(CultureInfo.InvariantCulture,
                $"<NextContinuationToken>{SecurityElement.Escape(all[max - 1].Key)}</NextContinuationToken>");
        return text.Append(all.Count > max ? "<IsTruncated>true</IsTruncated>" : "<IsTruncated>false</IsTruncated>")
            .Append("</ListBucketResult>").ToString();
    }

    private string ListUploads(IQueryCollection query)
    {
        var (prefix, key, id) = (query["prefix"].ToString(), query["key-marker"].ToString(), query["upload-id-marker"].ToString());
        var all = Uploads.Where(u => u.Value.Key.StartsWith(prefix, StringComparison.Ordinal))
            .OrderBy(u => u.Value.Key, StringComparer.Ordinal).ThenBy(u => u.Key, StringComparer.Ordinal)
            .SkipWhile(u => key.Length > 0 && (string.CompareOrdinal(u.Value.Key, key) is var order and <= 0)
                && (order < 0 || string.CompareOrdinal(u.Key, id) <= 0)).ToList();
        var text = new StringBuilder("<ListMultipartUploadsResult>");
        foreach (var (upload, found) in all.Take(PageSize))
            text.Append(CultureInfo.InvariantCulture, $"<Upload><Key>{SecurityElement.Escape(found.Key)}</Key>")
                .Append(CultureInfo.InvariantCulture, $"<UploadId>{upload}</UploadId>")
                .Append(CultureInfo.InvariantCulture, $"<Initiated>{found.At:yyyy-MM-ddTHH:mm:ss.fffZ}</Initiated></Upload>");
        if (all.Count > PageSize)
            text.Append(CultureInfo.InvariantCulture,
                    $"<NextKeyMarker>{SecurityElement.Escape(all[PageSize - 1].Value.Key)}</NextKeyMarker>")
                .Append(CultureInfo.InvariantCulture, $"<NextUploadIdMarker>{all[PageSize - 1].Key}</NextUploadIdMarker>");
        return text.Append(all.Count > PageSize ? "<IsTruncated>true</IsTruncated>" : "<IsTruncated>false</IsTruncated>")
            .Append("</ListMultipartUploadsResult>").ToString();
    }

    private string TagOf(byte[] content) =>
#pragma warning disable CA5351 // what S3 does
        HasOpaqueTags ? $"\"opaque.{Guid.NewGuid():N}\"" : $"\"{Convert.ToHexStringLower(MD5.HashData(content))}\"";
#pragma warning restore CA5351
}
