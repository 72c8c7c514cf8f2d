using System.Buffers.Binary;
using System.IO.Compression;

namespace TaskQueue.Tests.EndToEnd;

/// <summary>
/// Makes a picture of a page smaller, without loss: Chromium predicts each byte from its neighbours, but areas of one colour and letters
/// compress better as they are.
/// </summary>
internal static class SmallPng
{
    private const int Signature = 8, Pixel = 3, AfterHeader = Signature + 25;

    /// <param name="png">A picture of 8 bits each of red, green and blue, as Chromium writes it.</param>
    public static byte[] Shrink(byte[] png)
    {
        var (width, height) = (Number(png, 16), Number(png, 20));
        using var packed = new MemoryStream();
        for (var at = AfterHeader; at < png.Length; at += 12 + Number(png, at))
        {
            if (png.AsSpan(at + 4, 4).SequenceEqual("IDAT"u8))
                packed.Write(png, at + 8, Number(png, at));
        }

        packed.Position = 0;
        using var zlib = new ZLibStream(packed, CompressionMode.Decompress);
        var rows = new byte[height * ((width * Pixel) + 1)];
        zlib.ReadExactly(rows);
        Unfilter(rows, width * Pixel);

        using var result = new MemoryStream();
        result.Write(png, 0, AfterHeader);
        using (var data = new MemoryStream())
        {
            using (var smallest = new ZLibStream(data, CompressionLevel.SmallestSize, leaveOpen: true))
                smallest.Write(rows);
            WriteChunk(result, "IDAT"u8, data.ToArray());
        }

        WriteChunk(result, "IEND"u8, []);
        return result.ToArray();
    }

    /// <summary>Each row begins with the number of its filter.</summary>
    private static void Unfilter(byte[] rows, int length)
    {
        var above = new byte[length];
        for (var start = 0; start < rows.Length; start += length + 1)
        {
            var filter = rows[start];
            rows[start] = 0;
            var row = rows.AsSpan(start + 1, length);
            for (var i = 0; i < length; i++)
            {
                var (left, up, upLeft) = i < Pixel ? (0, above[i], 0) : (row[i - Pixel], above[i], above[i - Pixel]);
                row[i] += (byte)(filter switch { 1 => left, 2 => up, 3 => (left + up) / 2, 4 => Paeth(left, up, upLeft), _ => 0 });
            }

            row.CopyTo(above);
        }
    }

    private static int Paeth(int left, int up, int upLeft)
    {
        var (a, b, c) = (Math.Abs(up - upLeft), Math.Abs(left - upLeft), Math.Abs(left + up - (2 * upLeft)));
        return a <= b && a <= c ? left : b <= c ? up : upLeft;
    }

    private static int Number(byte[] png, int at) => BinaryPrimitives.ReadInt32BigEndian(png.AsSpan(at));

    private static void WriteChunk(MemoryStream to, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        byte[] typed = [.. type, .. data];
        Span<byte> number = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        to.Write(number);
        to.Write(typed);
        BinaryPrimitives.WriteUInt32BigEndian(number, Crc(typed));
        to.Write(number);
    }

    private static uint Crc(ReadOnlySpan<byte> bytes)
    {
        var crc = uint.MaxValue;
        foreach (var value in bytes)
        {
            crc ^= value;
            for (var bit = 0; bit < 8; bit++)
                crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
        }

        return ~crc;
    }
}
