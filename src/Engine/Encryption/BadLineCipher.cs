using System.Globalization;
using TaskQueue.Engine.Batches;

namespace TaskQueue.Engine.Encryption;

/// <summary>Encrypts the input text that an invalid batch item stores.</summary>
internal static class BadLineCipher
{
    /// <summary>The stored form of an item.</summary>
    public static InvalidBatchItem Seal(DataCipher cipher, InvalidBatchItem line, Guid batchId) => new()
    {
        BatchId = line.BatchId,
        Line = line.Line,
        CustomId = cipher.Seal(At("custom_id", batchId, line), line.CustomId),
        Code = line.Code,
        Message = cipher.Seal(At("message", batchId, line), line.Message),
    };

    /// <summary>Decrypts an item in place.</summary>
    public static void Open(DataCipher cipher, InvalidBatchItem line)
    {
        line.CustomId = cipher.Open(At("custom_id", line.BatchId, line), line.CustomId);
        line.Message = cipher.Open(At("message", line.BatchId, line), line.Message);
    }

    private static Place At(string column, Guid batchId, InvalidBatchItem line) =>
        new($"batch_bad_lines.{column}", batchId, line.Line.ToString(CultureInfo.InvariantCulture));
}
